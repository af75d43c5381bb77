"""Frames of HTTP/2, written by hand so that they can be wrong, and a connection to send them on."""

from __future__ import annotations

import socket
import struct
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.server_process import ServerProcess

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 1, 4, 1
INITIAL_WINDOW_SIZE = 4
INFER = "/inference.GRPCInferenceService/ModelInfer"
CALL = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", INFER),
    (":authority", "x"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
)


class Frame(NamedTuple):
    """A frame that has arrived."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"", length: int | None = None) -> bytes:
    """A frame, whose length is a lie where `length` is given."""
    claimed = len(payload) if length is None else length
    return struct.pack(">I", claimed)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(*pairs: tuple[int, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *pair) for pair in pairs))


def block(*headers: tuple[str, str]) -> bytes:
    """Headers in HPACK, none of them compressed or remembered."""
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in headers)


def head(path: str = INFER, *more: tuple[str, str]) -> bytes:
    """The block of headers of a call."""
    return block(*((name, path if name == ":path" else value) for name, value in CALL), *more)


def message(data: bytes, *, compressed: int = 0, length: int | None = None) -> bytes:
    """A message of gRPC, whose length is a lie where `length` is given."""
    return struct.pack(">BI", compressed, len(data) if length is None else length) + data


def call(stream: int, data: bytes, path: str = INFER, *more: tuple[str, str]) -> bytes:
    """The frames of a whole call."""
    return frame(HEADERS, END_HEADERS, stream, head(path, *more)) + frame(DATA, END_STREAM, stream, data)


def _text(text: str) -> bytes:
    data = text.encode()
    return integer(len(data), 7) + data


def integer(value: int, bits: int) -> bytes:
    """An integer as HPACK writes it into the last `bits` of a byte and those that follow."""
    most = 2**bits - 1
    if value < most:
        return bytes([value])
    out, rest = [most], value - most
    while rest >= 128:
        out.append(rest % 128 + 128)
        rest //= 128
    return bytes([*out, rest])


class Peer:
    """A connection to the port of gRPC on which anything can be sent."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._file = connection.makefile("rb")

    def close(self) -> None:
        """Ends the connection."""
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> bool:
        """Sends `data`; false when the server has closed, or does not read."""
        with suppress(ConnectionError, TimeoutError):
            self.socket.sendall(data)
            return True
        return False

    def frames(self) -> Iterator[Frame]:
        """What arrives until the server closes. Raises TimeoutError when it neither sends nor closes."""
        with suppress(ConnectionError):
            while len(start := self._file.read(9)) == 9:
                length = int.from_bytes(start[:3], "big")
                kind, flags, stream = struct.unpack(">BBI", start[3:])
                yield Frame(kind, flags, stream, self._file.read(length))

    def until(self, kind: int) -> Frame | None:
        """The next frame of this kind; None when the server closes before."""
        return next((found for found in self.frames() if found.kind == kind), None)


@contextmanager
def connected(server: ServerProcess, *begin: tuple[int, int], seconds: float = 10.0) -> Iterator[Peer]:
    """A connection that has said hello, with these settings."""
    with bare(server, seconds) as peer:
        peer.send(PREFACE + settings(*begin))
        yield peer


@contextmanager
def bare(server: ServerProcess, seconds: float = 10.0) -> Iterator[Peer]:
    """A connection on which nothing has been sent."""
    address = ("127.0.0.1", server.event("listening")["grpc_port"])
    with closing(Peer(socket.create_connection(address, timeout=seconds))) as peer:
        yield peer


def ids(count: int) -> Sequence[int]:
    """The first stream numbers that a client may use."""
    return range(1, 2 * count, 2)
