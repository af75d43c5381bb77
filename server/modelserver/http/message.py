"""A request and a response, and the bytes that a response is on the wire."""

from __future__ import annotations

import http
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_REASONS = {status.value: status.phrase for status in http.HTTPStatus}


@dataclass(slots=True)
class Request:
    """One request. Header names are in lower case; of repeated headers the last one counts.

    `body` is bytes, or the writable buffer that a large body was received into; nobody writes to it.
    """

    method: str
    target: str
    headers: dict[bytes, bytes]
    body: bytes | bytearray = b""


@dataclass(frozen=True, slots=True)
class Response:
    """One response; `headers` are those beyond length, type, date and connection. `tail` follows `body`: buffers
    that are sent from where they are (tensors).
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    tail: Sequence[bytes | memoryview] = ()

    def __len__(self) -> int:
        """The bytes of the body."""
        return len(self.body) + sum(map(len, self.tail))

    @classmethod
    def error(cls, status: int, sentence: str, *headers: tuple[str, str]) -> Response:
        """A response with `{"error": sentence}`, the form that the Open Inference Protocol prescribes."""
        return cls(status, orjson.dumps({"error": sentence}), headers=headers)


class Deferred:
    """A response that comes later: whoever makes it calls `resolve`, once; whoever sends it calls `then`, once.

    A future that costs nothing: the callback runs within `resolve`, not a turn of the event loop later.
    """

    __slots__ = ("_callback", "_response")

    def __init__(self) -> None:
        self._callback: Callable[[Response], None] | None = None
        self._response: Response | None = None

    def then(self, callback: Callable[[Response], None]) -> None:
        """Calls `callback` with the response as soon as there is one, at once if there is."""
        if self._response is None:
            self._callback = callback
        else:
            callback(self._response)

    def resolve(self, response: Response) -> None:
        """Says what the response is."""
        self._response = response
        if self._callback:
            self._callback(response)


def head(response: Response, date: str, *, close: bool) -> bytes:
    """Status line and headers of `response`, up to and with the empty line."""
    lines = [
        f"HTTP/1.1 {response.status} {_REASONS.get(response.status, '')}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response)}",
        f"Date: {date}",
        "Connection: close" if close else "Connection: keep-alive",
        *(f"{name}: {value}" for name, value in response.headers),
    ]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")
