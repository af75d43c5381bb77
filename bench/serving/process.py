"""A server as a process of its own, from its start to its first right answer to its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.serving import machine
from local.shell import Failure

HOST = "127.0.0.1"
START_S = 30
END_S = 10
POLL_S = 0.005


class Ended(Failure):
    """The server ended before it gave an answer."""


@dataclass(frozen=True)
class Command:
    """How a server is started."""

    words: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path | None = None


@dataclass(frozen=True)
class Running:
    """A server that answers, and how long it took until it did."""

    pid: int
    start_s: float


@contextmanager
def running(
    command: Command, cores: machine.Cores, log: Path, check: Callable[[], None], patience_s: float = END_S
) -> Iterator[Running]:
    """The server, ended with all of its processes when the block ends, by force if it takes longer than that.

    `check` asks it something; it answers rightly once that returns. Raises Failure, which names the log, and is
    Ended where the server ended before its first answer.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        started = time.monotonic()
        process = subprocess.Popen(
            [*cores.command, *command.words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **command.environment},
            cwd=command.folder,
            start_new_session=True,
        )
    try:
        await_answer(process, check, log)
        yield Running(process.pid, time.monotonic() - started)
    finally:
        end(process, patience_s)


def await_answer(process: subprocess.Popen[bytes], check: Callable[[], None], log: Path) -> None:
    """Returns at the first right answer. Raises Ended when the process ends first, Failure when it is too slow."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            return check()
        except (Failure, OSError) as error:
            if process.poll() is not None:
                raise Ended(f"the server ended with {process.returncode}; see {log}") from error
            if time.monotonic() > deadline:
                raise Failure(f"no right answer in {START_S} s; see {log}: {error}") from error
        time.sleep(POLL_S)


def end(process: subprocess.Popen[bytes], patience_s: float) -> None:
    """Asks the server to end, waits so long, and then ends all that is left of it."""
    family = machine.tree(process.pid)
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience_s)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pid in family:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
