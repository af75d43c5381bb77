"""The port of HTTP/1.1, from its first connection to a drain that loses no request."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import TYPE_CHECKING

from modelserver.http.connection import Connection
from modelserver.http.port import Port

if TYPE_CHECKING:
    from modelserver.http.connection import Answer
    from modelserver.http.reader import Limits

# Long enough for a client that has just connected, or just got an answer, to send its (next) request.
DRAINING_IDLE_S = 1.0


class Listener(Port[Connection]):
    """Serves `answer`, from `start` until `drain` has returned."""

    def __init__(self, answer: Answer, limits: Limits) -> None:
        super().__init__(limits)
        self.answer = answer
        self.date = ""
        self._held_bytes = 0
        self._idle_s = limits.idle_s

    async def drain(self, accept_s: float, deadline_s: float) -> int:
        """Takes leave: every answer from now on closes its connection, new connections are accepted for another
        `accept_s` (load balancers notice late), then those that fall silent are closed.

        Returns how many connections were still busy `deadline_s` after accepting ended: 0 is a clean end.
        """
        self.draining = True
        await asyncio.sleep(accept_s)
        await self._stop_accepting()
        self._idle_s = DRAINING_IDLE_S
        return await self._left(deadline_s)

    def hold(self, count: int) -> bool:
        """Counts bytes that wait for an answer in or, below 0, out; false when there are too many."""
        self._held_bytes += count
        return self._held_bytes <= self.limits.held_bytes

    def _connection(self) -> Connection:
        return Connection(self, self._loop.time)

    def _expire(self, now: float) -> None:
        self.date = formatdate(usegmt=True)
        for connection in list(self.connections):
            connection.expire(now, self._idle_s)
