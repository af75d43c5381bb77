"""A client of HTTP/2 that does exactly what a test says, and remembers what it was told."""

from __future__ import annotations

import asyncio
import struct
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ngh2 import Connection, Role
from ngh2.events import (
    ConnectionClosed,
    DataReceived,
    Event,
    GoAwayReceived,
    ResponseReceived,
    StreamClosed,
    StreamReset,
    TrailersReceived,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ngh2.config import Configuration

SECONDS = 10
POLL_S = 0.01


@dataclass
class Answer:
    """What came back on a stream so far."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    closed: bool = False
    reset: int | None = None

    @property
    def code(self) -> int | None:
        """gRPC's code."""
        return int(self.headers[b"grpc-status"]) if b"grpc-status" in self.headers else None

    @property
    def sentence(self) -> str:
        """gRPC's sentence."""
        return unquote(self.headers.get(b"grpc-message", b"").decode())


class Peer:
    """The client's end of a connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, config: Configuration | None
    ) -> None:
        self.session = Connection(Role.CLIENT, config)
        self.writer = writer
        self.answers: dict[int, Answer] = {}
        self.farewells: list[int] = []  # the last streams that the server named
        self.ended = False
        self._reader = reader

    def call(self, path: str, sent: bytes = b"", *headers: tuple[bytes, bytes], end: bool = True) -> int:
        """Begins a call, without sending it yet; `sent` is all of its body, or with `end` false a part of it."""
        first = {
            b":method": b"POST",
            b":scheme": b"http",
            b":path": path.encode(),
            b":authority": b"test",
            b"te": b"trailers",
            b"content-type": b"application/grpc",
        } | dict(headers)
        stream = self.session.send_request(list(first.items()))
        self.answers[stream] = Answer()
        self.session.send_data(stream, sent, end_stream=end)
        return stream

    async def answer(self, stream: int) -> Answer:
        """What came back on `stream`, when it is over."""
        await self.until(lambda: self.answers[stream].closed)
        return self.answers[stream]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Sends what there is to send, and reads until `condition` holds or the server has ended."""
        async with asyncio.timeout(SECONDS):
            while not self.ended:
                await self.send()
                if condition():
                    return
                with suppress(TimeoutError):
                    self._take(await asyncio.wait_for(self._reader.read(65536), POLL_S))

    async def send(self) -> None:
        """Sends what there is to send."""
        self.writer.write(self.session.data_to_send())
        await self.writer.drain()

    def _take(self, data: bytes) -> None:
        self.ended = not data
        if data:
            self.session.receive_data(data)
        for event in self.session.events():
            self._note(event)

    def _note(self, event: Event) -> None:
        if isinstance(event, ResponseReceived | TrailersReceived):
            self.answers[event.stream_id].headers |= dict(event.headers)
        elif isinstance(event, DataReceived):
            self.answers[event.stream_id].body += event.data
        elif isinstance(event, StreamReset):
            self.answers[event.stream_id].reset = event.error_code
        elif isinstance(event, StreamClosed):
            self.answers[event.stream_id].closed = True
        elif isinstance(event, GoAwayReceived):
            self.farewells.append(event.last_stream_id)
        elif isinstance(event, ConnectionClosed):
            self.ended = True
            self.writer.close()


@asynccontextmanager
async def connected(port: int, config: Configuration | None = None) -> AsyncIterator[Peer]:
    """A peer that has greeted the server at `port`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    peer = Peer(reader, writer, config)
    peer.session.initiate_connection()
    await peer.send()
    try:
        yield peer
    finally:
        writer.close()


def framed(message: bytes, flag: int = 0) -> bytes:
    """`message` as gRPC sends it."""
    return struct.pack(">BI", flag, len(message)) + message
