"""A listener over a real socket, with answers that the test gives, and requests as bytes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from modelserver.http.listener import Listener
from modelserver.http.message import Deferred, Request, Response
from modelserver.http.reader import Limits
from modelserver.http.sockets import bind
from tests.support.until import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from modelserver.http.connection import Answer


PATIENT = Limits(head_bytes=2000, body_bytes=100_000, idle_s=60, request_s=60, linger_s=60)


class Slow:
    """Answers each request with its target, when the test says so."""

    def __init__(self) -> None:
        self.asked: list[tuple[Request, Deferred[Response]]] = []

    def __call__(self, request: Request) -> Deferred[Response]:
        later: Deferred[Response] = Deferred()
        self.asked.append((request, later))
        return later

    async def release(self, count: int = 1) -> None:
        await until(lambda: len(self.asked) >= count)
        request, later = self.asked[count - 1]
        later.resolve(echo(request))


def echo(request: Request) -> Response:
    return Response(200, request.target.encode() + bytes(request.body), "text/plain")


@asynccontextmanager
async def listening(answer: Answer = echo, limits: Limits = PATIENT) -> AsyncIterator[tuple[Listener, int]]:
    listener = Listener(answer, limits)
    sock = bind("127.0.0.1", 0)
    port = sock.getsockname()[1]
    await listener.start(sock)
    yield listener, port
    if not listener.draining:
        await listener.drain(0, 0)


def get(target: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: a", *headers, "", ""]).encode()


async def body_of(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The head and the body of the next response."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head, await reader.readexactly(length)
