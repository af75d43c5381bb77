"""The port of gRPC, from its first connection to a drain that loses no call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from modelserver.grpc.compression import transparent
from modelserver.grpc.connection import Connection
from modelserver.http.port import Port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelserver.grpc.connection import Streaming, Unary
    from modelserver.http.reader import Limits


class Listener(Port[Connection]):
    """Serves methods, from `start` until `drain` has returned.

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
        super().__init__(limits)
        self.unary: Mapping[str, Unary] = {
            path: transparent(method, limits.body_bytes) for path, method in unary.items()
        }
        self.streaming = streaming
        self.hold = hold

    async def drain(self, accept_s: float, deadline_s: float) -> int:
        """Takes leave of all connections, and accepts new ones for `accept_s` (load balancers notice late).

        Returns how many connections were still busy `deadline_s` after that: 0 is a clean end.
        """
        self._take_leave()
        await asyncio.sleep(accept_s)
        self.draining = True
        await self._stop_accepting()
        self._take_leave()
        return await self._left(deadline_s)

    def _take_leave(self) -> None:
        for connection in list(self.connections):
            connection.leave()

    def _connection(self) -> Connection:
        return Connection(self, self._loop)

    def _expire(self, now: float) -> None:
        for connection in list(self.connections):
            connection.expire(now)
