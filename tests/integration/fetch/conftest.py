"""Azurite behind a proxy, and the fetcher as the process that it is in a pod."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.azurite import KEY, Azurite, running
from tests.support.proxy import Proxy
from tests.support.server_process import SERVER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "http://demo.blob.test:10000"


@dataclass(frozen=True)
class Ended:
    """How a fetcher ended: exit code, termination log, log lines, and all that it printed."""

    code: int
    said: dict[str, Any]
    log: list[dict[str, Any]]
    printed: str

    @property
    def reason(self) -> str:
        return str(self.said["reason"])

    @property
    def message(self) -> str:
        return str(self.said["message"])


@dataclass
class Program:
    """Runs `python -m modelserver.fetch` with these variables beside the test's own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    wrapper: tuple[str, ...] = ()

    @property
    def to(self) -> Path:
        return self.folder / "model"

    def credentials(self, **files: str) -> str:
        """An option that gives a folder with these files as the Secret."""
        secret = self.folder / "secret"
        secret.mkdir(exist_ok=True)
        for name, text in files.items():
            (secret / name).write_text(text)
        return f"--credentials={secret}"

    @property
    def key(self) -> str:
        return self.credentials(accountKey=KEY)

    def variables(self) -> dict[str, str]:
        """Those that the program gets."""
        return self.environment

    def start(self, uri: str, *options: str) -> subprocess.Popen[str]:
        command = [*self.wrapper, sys.executable, "-m", "modelserver.fetch", "--uri", uri, "--to", str(self.to)]
        command += [f"--termination-log={self.folder / 'termination-log'}", *options]
        environment = {**os.environ, "PYTHONPATH": str(SERVER), **self.variables()}
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def __call__(self, uri: str, *options: str) -> Ended:
        with self.start(uri, *options) as process:
            printed, _ = process.communicate(timeout=60)
        said = (self.folder / "termination-log").read_text()
        log = [json.loads(line) for line in printed.splitlines()]
        return Ended(process.returncode, json.loads(said), log, printed + said)

    def files(self) -> dict[str, bytes]:
        """What was published."""
        found = [file for file in self.to.rglob("*") if file.is_file()]
        return {str(file.relative_to(self.to)): file.read_bytes() for file in found}


@dataclass(kw_only=True)
class Fetcher(Program):
    """The program, which reaches nothing but Azurite, through the proxy."""

    proxy: Proxy

    def variables(self) -> dict[str, str]:
        """Those that the program gets."""
        return {"http_proxy": self.proxy.url, "https_proxy": self.proxy.url, **self.environment}


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with running(tmp_path_factory.mktemp("azurite")) as storage:
        storage.create_container("models")
        storage.create_container("public", is_public=True)
        yield storage


@pytest.fixture
def fetcher(tmp_path: Path, azurite: Azurite) -> Iterator[Fetcher]:
    proxy = Proxy(("127.0.0.1", azurite.port))
    yield Fetcher(tmp_path, proxy=proxy)
    proxy.close()
