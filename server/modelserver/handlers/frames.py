"""What the server and a handler's process send each other: a JSON object, and buffers that travel as they are."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Sequence

    Buffer = bytes | bytearray | memoryview

PREFIX = struct.Struct("<IQ")  # the bytes of the JSON, and those of all buffers
LARGEST = 2**28


class Broken(Exception):
    """The other side is gone, or has sent what is no frame."""


class TooLarge(ValueError):
    """A frame that is larger than both sides agreed to keep in memory."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message; its length is that of the buffers."""

    head: dict[str, Any]
    buffers: Sequence[Buffer] = ()

    def __len__(self) -> int:
        """The bytes of all buffers."""
        return sum(map(len, self.buffers))

    def packed(self) -> list[Buffer]:
        """The frame as it is sent, piece by piece. Raises TooLarge."""
        text = json.dumps({**self.head, "sizes": [len(buffer) for buffer in self.buffers]}).encode()
        if len(text) + len(self) > LARGEST:
            raise TooLarge(f"{len(self)} bytes are more than the {LARGEST} that can be passed on")
        return [PREFIX.pack(len(text), len(self)) + text, *self.buffers]


async def read(reader: asyncio.StreamReader) -> Frame:
    """The next frame. Raises Broken."""
    try:
        sizes = _sizes(await reader.readexactly(PREFIX.size))
        text = await reader.readexactly(sizes[0])
        return _frame(text, await reader.readexactly(sizes[1]))
    except (EOFError, OSError) as error:
        raise Broken from error


def receive(sock: socket.socket) -> Frame:
    """The next frame, waited for in this thread. Raises Broken."""
    sizes = _sizes(_received(sock, PREFIX.size))
    return _frame(_received(sock, sizes[0]), _received(sock, sizes[1]))


def send(sock: socket.socket, frame: Frame) -> None:
    """Sends `frame` from this thread. Raises Broken, or TooLarge before anything is sent."""
    pieces = frame.packed()
    try:
        for piece in pieces:
            sock.sendall(piece)
    except OSError as error:
        raise Broken from error


def _sizes(prefix: Buffer) -> tuple[int, int]:
    text, buffers = PREFIX.unpack(prefix)
    if text + buffers > LARGEST:
        raise Broken(f"a message of {text + buffers} bytes is larger than the {LARGEST} bytes allowed")
    return text, buffers


def _frame(text: Buffer, body: Buffer) -> Frame:
    try:
        head = json.loads(bytes(text))
        ends = [0]
        for size in head.pop("sizes"):
            ends.append(ends[-1] + size)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Broken("what was received is no message") from error
    whole = memoryview(body)
    return Frame(head, [whole[start:end] for start, end in pairwise(ends)])


def _received(sock: socket.socket, size: int) -> bytearray:
    buffer = bytearray(size)
    rest = memoryview(buffer)
    while rest:
        try:
            count = sock.recv_into(rest)
        except OSError as error:
            raise Broken from error
        if not count:
            raise Broken
        rest = rest[count:]
    return buffer
