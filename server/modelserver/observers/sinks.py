"""Where lines of the request log end: a file that is rotated, or blobs. All of it runs in the log's thread."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from modelserver.fetch.location import parse

if TYPE_CHECKING:
    from obstore.store import AzureStore, HTTPStore

    from modelserver.live.settings import RequestLogSettings

MIB = 1024 * 1024


class SinkFails(Exception):
    """Lines could not be written; its text says why."""


class Sink(Protocol):
    """Takes lines: as many at once as came within `gather_s`, or sooner those that are `gather_bytes` together."""

    gather_s: float
    gather_bytes: int

    def write(self, lines: bytes) -> None:
        """Writes whole `lines`. Raises SinkFails."""


def sink(settings: RequestLogSettings) -> Sink:
    """The sink that `settings` name."""
    if "://" in settings.to:
        return BlobSink(settings.to, Path(settings.credentials) if settings.credentials else None)
    return FileSink(Path(settings.to))


class FileSink:
    """A file. When it would be larger than `max_bytes` it becomes FILE.1, which becomes FILE.2, and so on; there
    are never more than `kept` older ones.
    """

    gather_s = 0.0
    gather_bytes = MIB

    def __init__(self, path: Path, max_bytes: int = 64 * MIB, kept: int = 3) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._kept = kept

    def write(self, lines: bytes) -> None:
        """Appends `lines`. Raises SinkFails."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.is_file() and self._path.stat().st_size + len(lines) > self._max_bytes:
                self._rotate()
            self._path.touch(0o640)  # what clients sent is for its owner and group only
            with self._path.open("ab") as file:
                file.write(lines)
        except OSError as error:
            raise SinkFails(f"{self._path} cannot be written: {error.strerror}") from None

    def _rotate(self) -> None:
        for number in range(self._kept, 0, -1):
            newer = Path(f"{self._path}.{number - 1}") if number > 1 else self._path
            if newer.exists():
                newer.replace(f"{self._path}.{number}")


class BlobSink:
    """A blob for each write, below `folder`: DATE/HOST-TIME-NUMBER.jsonl. Nothing is ever overwritten."""

    gather_s = 10.0
    gather_bytes = 4 * MIB

    def __init__(self, folder: str, secret: Path | None) -> None:
        self._location = parse(folder)
        self._secret = secret
        self._store: AzureStore | HTTPStore | None = None
        self._writer = f"{socket.gethostname()}-{datetime.now(UTC):%H%M%S}"
        self._number = 0

    def write(self, lines: bytes) -> None:
        """Writes `lines` as the next blob. Raises SinkFails; the credential is then read anew for the next."""
        from modelserver.observers import blobs  # noqa: PLC0415  # obstore costs memory that few need

        try:
            self._store = self._store or blobs.opened(self._location, self._secret)
            blobs.put(self._store, self._next_name(), lines)
        except blobs.Fails as error:
            self._store = None
            raise SinkFails(f"blobs cannot be written to {self._location.uri}: {error}") from None

    def _next_name(self) -> str:
        self._number += 1
        name = f"{datetime.now(UTC):%Y-%m-%d}/{self._writer}-{self._number:06}.jsonl"
        return f"{self._location.path}/{name}" if self._location.path else name
