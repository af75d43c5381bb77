"""The listening socket and its connections: accepting, expiring, and draining without losing a request."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING

from modelserver.http.connection import Connection
from modelserver.http.sockets import BACKLOG, backlog

if TYPE_CHECKING:
    from modelserver.http.connection import Answer
    from modelserver.http.reader import Limits

TICK_S = 0.5
# Long enough for a client that has just connected, or just got an answer, to send its (next) request.
DRAINING_IDLE_S = 1.0


class Listener:
    """Serves `answer` on a bound socket, from `start` until `drain` has returned."""

    def __init__(self, answer: Answer, limits: Limits) -> None:
        self.answer = answer
        self.limits = limits
        self.draining = False
        self.date = ""
        self.connections: set[Connection] = set()
        self._held_bytes = 0
        self._empty = asyncio.Event()
        self._idle_s = limits.idle_s
        self._loop = asyncio.get_running_loop()

    async def start(self, sock: socket.socket) -> None:
        """Accepts connections on `sock` from now on."""
        # A client that takes nothing any more is forgotten by the kernel as well, with all that was written to it.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self.limits.request_s * 1000))
        self._backlog = sock.dup()
        self._server = await self._loop.create_server(self._connection, sock=sock, backlog=BACKLOG)
        self._tick()

    async def drain(self, accept_s: float, deadline_s: float) -> int:
        """Takes leave: every answer from now on closes its connection, new connections are accepted for another
        `accept_s` (load balancers notice late), then those that fall silent are closed.

        Returns how many connections were still busy `deadline_s` after accepting ended: 0 is a clean end.
        """
        self.draining = True
        await asyncio.sleep(accept_s)
        await self._stop_accepting()
        self._idle_s = DRAINING_IDLE_S
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

    def hold(self, count: int) -> bool:
        """Counts bytes that wait for an answer in or, below 0, out; false when there are too many."""
        self._held_bytes += count
        return self._held_bytes <= self.limits.held_bytes

    async def _stop_accepting(self) -> None:
        """Closing a listening socket resets the connections that nobody has accepted yet, so they are taken
        from a second handle of the same socket first.
        """
        self._server.close()
        for accepted in backlog(self._backlog):
            await self._loop.connect_accepted_socket(self._connection, accepted)
        self._backlog.close()

    def _connection(self) -> Connection:
        return Connection(self, self._loop.time)

    def _tick(self) -> None:
        self._loop.call_later(TICK_S, self._tick)
        self.date = formatdate(usegmt=True)
        now = self._loop.time()
        for connection in list(self.connections):
            connection.expire(now, self._idle_s)
