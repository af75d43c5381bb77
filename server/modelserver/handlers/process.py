"""One process of a handler, as the server sees it: started, asked, listened to, and ended when it has to be."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from modelserver.errors import HandlerInvalid
from modelserver.handlers import frames
from modelserver.handlers.frames import Frame
from modelserver.handlers.launch import command
from modelserver.handlers.worker.output import MARK

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from modelserver.handlers.frames import Buffer
    from modelserver.handlers.launch import Launch

    Exchange = Callable[[Frame], Awaitable[Frame]]

log = logging.getLogger("modelserver.handler")

SIGNALS = {number.value: number.name for number in signal.Signals}
# How long a process has to interrupt its own run, or to end of itself, before it is killed.
GRACE_S = 1.0
# What a handler prints is taken up at this pace at most: the server has something else to do.
CHUNK_BYTES = 32 * 1024
CHUNK_PAUSE_S = 0.05


class Lost(Exception):
    """The process has ended; the text says how. `begun` is whether it had taken up the request it was given."""

    def __init__(self, how: str, *, begun: bool) -> None:
        super().__init__(how)
        self.begun = begun


class HandlerProcess:
    """A started process; `gone` is done when it has ended and nothing is left of it."""

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.interface: dict[str, Any] = {}
        self._process = process
        self._reader = reader
        self._writer = writer
        self.gone = asyncio.ensure_future(self._ended())

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def how_it_ended(self) -> str:
        """`was killed by SIGSEGV`, `ended with exit code 1`."""
        code = self._process.returncode
        if code is None or code >= 0:
            return f"ended with exit code {code}"
        return f"was killed by {SIGNALS.get(-code, f'signal {-code}')}"

    async def initialise(self, launch: Launch) -> None:
        """Returns when `init` has ended. Raises HandlerInvalid when not well, Lost when the process has ended."""
        setup = {
            "script": str(launch.script),
            "search": [str(folder) for folder in launch.search],
            "memory_bytes": launch.memory_bytes,
        }
        try:
            await self._send(Frame(setup).packed())
            answer = await frames.read(self._reader)
        except (frames.Broken, OSError):
            await self.end()
            raise Lost(f"the handler's process {self.how_it_ended} while it started", begun=False) from None
        if "invalid" in answer.head:
            await self.end()
            raise HandlerInvalid(answer.head["invalid"])
        self.interface = answer.head["ready"]

    async def run(self, request: Frame) -> Frame:
        """The answer to `request`. Raises Lost, and TooLarge before anything is sent."""
        begun = False
        pieces = request.packed()
        try:
            await self._send(pieces)
            await frames.read(self._reader)
            begun = True
            return await frames.read(self._reader)
        except (frames.Broken, OSError):
            await self.end()
            raise Lost(self.how_it_ended, begun=begun) from None

    def kill(self) -> None:
        """Ends it at once, and whatever it has started itself."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Tells it that there is nothing more to do, and waits until it is gone."""
        self._writer.close()
        await asyncio.wait((self.gone,), timeout=GRACE_S)
        self.kill()
        await self.gone

    async def _send(self, pieces: Sequence[Buffer]) -> None:
        if self._writer.is_closing():  # it has ended, and the news is on the way
            raise frames.Broken
        self._writer.writelines(pieces)
        await self._writer.drain()

    async def _ended(self) -> None:
        await self._process.wait()
        self.kill()  # its children, which may hold its end of the socket
        self._writer.transport.abort()


async def start(launch: Launch, name: str, exchange: Exchange) -> HandlerProcess:
    """Starts a process, of which every question about models is put to `exchange`."""
    (ours, theirs), (our_calls, their_calls) = socket.socketpair(), socket.socketpair()
    with theirs, their_calls:
        passed = (theirs.fileno(), their_calls.fileno())
        process = await asyncio.create_subprocess_exec(
            *command(*passed),
            pass_fds=passed,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            cwd=launch.directory,
            env=launch.environment,
            start_new_session=True,  # so that Ctrl-C is for the server, which drains first
            limit=CHUNK_BYTES,
        )
    handler = HandlerProcess(process, *await asyncio.open_unix_connection(sock=ours))
    _keep(_answer_calls(*await asyncio.open_unix_connection(sock=our_calls), exchange))
    for stream, level in ((process.stdout, logging.INFO), (process.stderr, logging.WARNING)):
        if stream:
            _keep(_take_up(stream, level, name))
    return handler


def _keep(work: Coroutine[Any, Any, None]) -> None:
    """Has `work` done for as long as there is a process; the event loop itself keeps no task alive."""
    task = asyncio.ensure_future(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


_tasks: set[asyncio.Future[None]] = set()


async def _answer_calls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, exchange: Exchange) -> None:
    """Answers one question after the other until the process is gone, or sends what is none."""
    with suppress(frames.Broken, OSError):
        while True:
            answer = await exchange(await frames.read(reader))
            if writer.is_closing():
                break
            writer.writelines(answer.packed())
            await writer.drain()
    writer.close()


async def _take_up(stream: asyncio.StreamReader, level: int, name: str) -> None:
    """Logs what comes on `stream`, line by line; what is longer than a chunk is cut."""
    rest = b""
    while chunk := await stream.read(CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > CHUNK_BYTES:
            lines, rest = [*lines, rest], b""
        for line in lines:
            _log(line.decode(errors="backslashreplace"), level, name)
        if len(chunk) == CHUNK_BYTES:
            await asyncio.sleep(CHUNK_PAUSE_S)
    if rest:
        _log(rest.decode(errors="backslashreplace"), level, name)


def _log(line: str, level: int, name: str) -> None:
    facts = {"handler": name}
    if line.startswith(MARK):
        with suppress(ValueError, LookupError, TypeError):
            record = json.loads(line[1:])
            facts |= {key: record[key] for key in ("logger", "exception") if key in record}
            level, line = record["level"], record["message"]
    log.log(level, "%s", line, extra=facts)
