"""One HTTP/2 stream, which is one call: what of it has arrived, and the messages in that."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from modelserver.errors import BadRequest, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelserver.grpc.message import Call, Reply

# Before each message: whether it is compressed, and its length.
PREFIX = struct.Struct(">BI")


class Stream:
    """A call on its way, and since when it is in its present state; `held` of its bytes count at the listener.

    The first `filled` bytes of `received` have arrived, of `expected` bytes that a message is with its prefix.
    """

    __slots__ = ("answered", "call", "expected", "filled", "held", "received", "since")

    def __init__(self, call: Call, since: float) -> None:
        self.call = call
        self.since = since
        self.received: bytes | memoryview = b""
        self.filled = 0
        self.expected = 0
        self.held = 0
        self.answered = False

    def size(self) -> int:
        """The bytes of the call, as far as it has arrived."""
        headers = self.call.headers
        return self.filled + sum(map(len, headers)) + sum(map(len, headers.values()))

    def receive(self, data: bytes) -> None:
        """Adds what has arrived. A message of several pieces gets room for all of it with the second."""
        start = self.filled
        self.filled += len(data)
        if start < PREFIX.size:
            self._begin(bytes(self.received) + data if start else data)
            return
        if self.filled > len(self.received):
            # Not a bytearray, which would fill the memory with zeros before anything has arrived.
            room = np.empty(max(self.expected, 2 * self.filled), np.uint8).data
            room[:start] = self.received[:start]
            self.received = room
        self.received[start : self.filled] = data  # type: ignore[index]  # it is the room

    def complete(self) -> Call:
        """The call with its only message. Raises BadRequest when what has arrived is not just one."""
        call, received = self.call, self.received
        if not self.filled or self.filled != self.expected or received[0] > 1:
            raise BadRequest("this method takes exactly one message, whole and with its length in front of it")
        call.body = received[PREFIX.size : self.filled]
        if received[0]:
            call.encoding = call.headers.get(b"grpc-encoding", b"identity").decode("latin-1")
        return call

    def messages(self) -> Iterator[bytes]:
        """Takes the messages that have arrived whole. Raises Unsupported for a compressed one."""
        while PREFIX.size <= self.expected <= self.filled:
            if self.received[0]:
                raise Unsupported("the messages of a stream cannot be read when they are compressed")
            received, end = bytes(self.received[: self.filled]), self.expected
            self._begin(received[end:])
            yield received[PREFIX.size : end]

    def _begin(self, received: bytes) -> None:
        self.received, self.filled = received, len(received)
        whole = self.filled >= PREFIX.size
        self.expected = PREFIX.size + PREFIX.unpack_from(received)[1] if whole else 0


def prefix(reply: Reply) -> bytes:
    """What comes before the message of `reply`."""
    return PREFIX.pack(bool(reply.encoding), len(reply))
