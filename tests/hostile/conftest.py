"""A server under attack, which has to stay alive, small and answering after every single test."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.hostile.bodies import MIB
from tests.hostile.wire import request, told
from tests.support import onnx_models
from tests.support.onnx_models import saved
from tests.support.server_process import ServerProcess, serving
from tests.support.until import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BODY = 8 * MIB
GROWTH = 32 * MAX_BODY  # what JSON may become while it is read

GOOD = b'{"inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1, -0.5]}]}'


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Arguments for a server: `echo` (FP32), `echo_int64`, `flags`, `text`, `pair` (two to a row) and `lookup`."""
    folder = tmp_path_factory.mktemp("models")
    made = {
        "echo": onnx_models.identity("FP32"),
        "echo_int64": onnx_models.identity("INT64"),
        "text": onnx_models.identity("BYTES"),
        "flags": onnx_models.identity("BOOL"),
        "pair": onnx_models.double(["N", 2]),
        "lookup": onnx_models.lookup(),
    }
    return [f"--model={name}={saved(model, folder / f'{name}.onnx')}" for name, model in made.items()]


@pytest.fixture(scope="module")
def server(models: list[str]) -> Iterator[ServerProcess]:
    """Serves the models, and takes bodies of up to MAX_BODY."""
    with serving(*models, "--max-body=8Mi") as process:
        yield process


@dataclass(frozen=True)
class Memory:
    """The resident memory of a process, in bytes."""

    pid: int

    def now(self) -> int:
        """What it holds."""
        return self._field("VmRSS")

    def peak(self) -> int:
        """The most that it has held since `forget`."""
        return self._field("VmHWM")

    def forget(self) -> None:
        """Lets the peak begin anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def _field(self, name: str) -> int:
        found = re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{self.pid}/status").read_text(), re.MULTILINE)
        assert found
        return int(found[1]) * 1024


@pytest.fixture(scope="module")
def growth() -> int:
    """What a test may make the server grow by at most, at any moment of it, in bytes."""
    return GROWTH


@pytest.fixture(autouse=True)
def unharmed(server: ServerProcess, growth: int) -> Iterator[None]:
    """After a test the server is alive, answers as before, met no defect of its own, and never grew too much."""
    memory = Memory(server.process.pid)
    memory.forget()
    before, logged = memory.now(), len(server.log)
    yield
    assert server.process.poll() is None
    answers(server)
    assert not [event for event in server.log[logged:] if "exception" in event]
    assert memory.peak() - before < growth


def answers(server: ServerProcess) -> None:
    """Fails unless a good request gets its good answer."""
    answer = told(server, request(GOOD))
    assert answer
    assert answer.status == 200, answer
    assert answer.json()["outputs"][0]["data"] == [1, -0.5]


def refused(server: ServerProcess, body: bytes, model: str = "echo") -> None:
    """Fails unless `body` is answered with 400 and a sentence."""
    answer = told(server, request(body, path=f"/v2/models/{model}/infer"))
    assert answer
    assert answer.status == 400, answer
    assert answer.json()["error"]


def settled(server: ServerProcess, connections: int = 0) -> None:
    """Waits until the server has no more than these connections, and the one that asks."""
    wait_until(lambda: (server.metric("modelserver_connections") or 0) <= connections + 1, seconds=30)
