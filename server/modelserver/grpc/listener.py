"""The listening socket and its connections: accepting, expiring, and draining without losing a call."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from modelserver.grpc.compression import transparent
from modelserver.grpc.connection import Connection
from modelserver.http.sockets import BACKLOG, backlog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelserver.grpc.connection import Streaming, Unary
    from modelserver.http.reader import Limits

TICK_S = 0.5


class Listener:
    """Serves methods on a bound socket, from `start` until `drain` has returned.

    `unary` and `streaming` are the methods by path. `hold` counts bytes that wait for an answer in or, below 0,
    out, and is false when there are too many.
    """

    def __init__(
        self,
        unary: Mapping[str, Unary],
        streaming: Mapping[str, Streaming],
        limits: Limits,
        hold: Callable[[int], bool],
    ) -> None:
        self.unary: Mapping[str, Unary] = {
            path: transparent(method, limits.body_bytes) for path, method in unary.items()
        }
        self.streaming = streaming
        self.limits = limits
        self.hold = hold
        self.draining = False
        self.connections: set[Connection] = set()
        self._empty = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def start(self, sock: socket.socket) -> None:
        """Accepts connections on `sock` from now on."""
        # A client that takes nothing any more is forgotten by the kernel as well, with all that was written to it.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self.limits.request_s * 1000))
        self._backlog = sock.dup()
        self._server = await self._loop.create_server(self._connection, sock=sock, backlog=BACKLOG)
        self._tick()

    async def drain(self, accept_s: float, deadline_s: float) -> int:
        """Accepts connections for another `accept_s` (load balancers notice late), then takes leave of all.

        Returns how many connections were still busy `deadline_s` after that: 0 is a clean end.
        """
        await asyncio.sleep(accept_s)
        self.draining = True
        await self._stop_accepting()
        for connection in list(self.connections):
            connection.leave()
        if self.connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), deadline_s)
        return len(self.connections)

    def join(self, connection: Connection) -> bool:
        """Counts `connection` in, to be expired when its time is up; false when there is no room for it."""
        self.connections.add(connection)
        self._empty.clear()
        return len(self.connections) <= self.limits.connections

    def leave(self, connection: Connection) -> None:
        """Counts `connection` out."""
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()

    async def _stop_accepting(self) -> None:
        """As the listener of HTTP/1.1 does: what nobody has accepted yet is taken, not reset."""
        self._server.close()
        for accepted in backlog(self._backlog):
            await self._loop.connect_accepted_socket(self._connection, accepted)
        self._backlog.close()

    def _connection(self) -> Connection:
        return Connection(self, self._loop)

    def _tick(self) -> None:
        self._loop.call_later(TICK_S, self._tick)
        now = self._loop.time()
        for connection in list(self.connections):
            connection.expire(now)
