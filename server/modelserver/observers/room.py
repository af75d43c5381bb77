"""Room for what is on its way: so many requests, which hold so many bytes together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class NoRoom(Exception):
    """Too much is on its way already."""


class Room:
    """Room for `most` requests with `most_bytes` together; `left` and `left_bytes` is what is free of it."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self.left = most
        self.left_bytes = most_bytes

    def take(self, bytes_: int) -> Place:
        """A place for one more request, which holds `bytes_`. Raises NoRoom."""
        if not self.left:
            raise NoRoom
        place = Place(self)
        place.grow(bytes_)
        self.left -= 1
        return place


class Place:
    """The place of one request, until its block ends."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._bytes = 0

    def grow(self, bytes_: int) -> None:
        """Holds so many bytes more. Raises NoRoom."""
        if bytes_ > self._room.left_bytes:
            raise NoRoom
        self._room.left_bytes -= bytes_
        self._bytes += bytes_

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._room.left += 1
        self._room.left_bytes += self._bytes
