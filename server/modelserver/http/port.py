"""A listening socket and its connections, whatever they speak: accepting, counting, and ending without a reset."""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

from modelserver.http.sockets import BACKLOG, backlog

if TYPE_CHECKING:
    from modelserver.http.reader import Limits

TICK_S = 0.5

Connection = TypeVar("Connection", bound=asyncio.BaseProtocol)


class Port(ABC, Generic[Connection]):
    """Accepts connections on a bound socket, from `start` on."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
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

    @abstractmethod
    def _connection(self) -> Connection:
        """The protocol object of a new connection."""

    @abstractmethod
    def _expire(self, now: float) -> None:
        """Ends the connections whose time is up."""

    async def _stop_accepting(self) -> None:
        """Closing a listening socket resets the connections that nobody has accepted yet, so they are taken
        from a second handle of the same socket first.
        """
        self._server.close()
        for accepted in backlog(self._backlog):
            await self._loop.connect_accepted_socket(self._connection, accepted)
        self._backlog.close()

    async def _left(self, deadline_s: float) -> int:
        """How many connections are still there after `deadline_s`; 0 as soon as there is none."""
        if self.connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), deadline_s)
        return len(self.connections)

    def _tick(self) -> None:
        self._loop.call_later(TICK_S, self._tick)
        self._expire(self._loop.time())
