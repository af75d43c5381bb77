"""Bytes to a server and answers back, with nothing between that would mend what is sent."""

from __future__ import annotations

import json
import socket
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server_process import ServerProcess

SECONDS = 15.0


@dataclass(frozen=True)
class Answer:
    """One answer; the names of its headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)


class Wire:
    """A connection on which anything can be sent."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._file: BinaryIO = connection.makefile("rb")

    def close(self) -> None:
        """Ends the connection."""
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Sends `data`; the server may already have refused and closed."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def end(self) -> None:
        """Says that nothing more will be sent."""
        with suppress(OSError):  # the server was faster
            self.socket.shutdown(socket.SHUT_WR)

    def answer(self, *, head: bool = False) -> Answer | None:
        """The next answer, without a body if it is one to HEAD; None when the connection has ended.

        Raises TimeoutError when the server is silent.
        """
        try:
            return self._answer(head)
        except ConnectionResetError:
            return None

    def _answer(self, head: bool) -> Answer | None:
        line = self._file.readline()
        if not line:
            return None
        status = int(line.split()[1])
        headers = dict(iter(self._header, None))
        body = b"" if head or status == 100 else self._file.read(int(headers["content-length"]))
        return Answer(status, headers, body)

    def _header(self) -> tuple[str, str] | None:
        name, _, value = self._file.readline().decode("latin-1").partition(":")
        return (name.strip().lower(), value.strip()) if value else None


@contextmanager
def wired(server: ServerProcess, seconds: float = SECONDS) -> Iterator[Wire]:
    """A connection to `server`, on which nothing is waited for longer than `seconds`."""
    address = ("127.0.0.1", server.event("listening")["port"])
    with closing(Wire(socket.create_connection(address, timeout=seconds))) as wire:
        yield wire


def told(server: ServerProcess, data: bytes) -> Answer | None:
    """The answer to `data` on a connection of its own; the client sends no more after it."""
    with wired(server) as wire:
        wire.send(data)
        wire.end()
        return wire.answer()


def request(
    body: bytes = b"",
    *headers: str,
    method: str = "POST",
    path: str = "/v2/models/echo/infer",
    length: int | None = None,
) -> bytes:
    """The bytes of a request, whose Content-Length is `length` where that lies about `body`."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body
