"""The scoring server as it runs in a pod: a process of its own, reached over a socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import httpx

from tests.support.until import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SERVER = Path(__file__).parents[2] / "server"


@dataclass
class ServerProcess:
    """A running server: its process, what it has logged so far, and a client for it."""

    process: subprocess.Popen[str]
    log: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        Thread(target=self._read_log, daemon=True).start()
        wait_until(lambda: self.logged("listening") or self.process.poll() is not None)
        self.url = f"http://127.0.0.1:{self.event('listening')['port']}"
        self.client = httpx.Client(base_url=self.url, timeout=30)

    def logged(self, message: str) -> bool:
        """Whether an event with exactly this message was logged."""
        return any(event["message"] == message for event in self.log)

    def event(self, message: str) -> dict[str, Any]:
        """The first event with exactly this message."""
        return next(event for event in self.log if event["message"] == message)

    def score(self, data: object, **query: str) -> httpx.Response:
        """The answer of /score to `data`."""
        return self.client.post("/score", json={"data": data}, params=query)

    def metric(self, line: str) -> float | None:
        """The value of the series that is written exactly like `line`."""
        for text in self.client.get("/metrics").text.splitlines():
            if text.startswith(line + " "):
                return float(text.rpartition(" ")[2])
        return None

    def _read_log(self) -> None:
        assert self.process.stdout
        with self.process.stdout as lines:
            for line in lines:
                self.log.append(json.loads(line))


@contextmanager
def serving(
    *arguments: str, until_ready: bool = True, variables: Mapping[str, str] | None = None
) -> Iterator[ServerProcess]:
    """A server with `arguments` and environment `variables` on a free port, ended when the block ends."""
    command = [sys.executable, "-m", "modelserver", "--host=127.0.0.1", "--port=0", "--grpc-port=0", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(SERVER), **(variables or {})}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        server = ServerProcess(process)
        if until_ready:
            wait_until(lambda: server.logged("ready"), seconds=30)
        yield server
    finally:
        process.kill()
        process.wait()
