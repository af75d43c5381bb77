"""A door in front of an API server: what goes through it is real, and it can be shut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Gate:
    """A TCP proxy on a port of its own; `shut` drops and refuses all connections, `open` lets them in again.

    While `stuck`, connections stay and nothing gets through, as when a network swallows packets.
    """

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.moving = asyncio.Event()
        self.moving.set()
        self._target = host, port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen, always on the same port."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Drop what is connected, and refuse what comes."""
        assert self._server
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await asyncio.gather(self._copy(reader, there_writer), self._copy(there_reader, writer))
        finally:
            self._connections.discard(task)
            writer.transport.abort()
            there_writer.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            await self.moving.wait()
            writer.write(chunk)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def gate_to(host: str, port: int) -> AsyncIterator[Gate]:
    """An open gate."""
    gate = Gate(host, port)
    await gate.open()
    try:
        yield gate
    finally:
        await gate.shut()
