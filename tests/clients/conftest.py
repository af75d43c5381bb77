"""One server for all public clients, and what their programs find, each in a process and packages of its own."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.venvs import python
from tests.support import onnx_models
from tests.support.onnx_models import saved
from tests.support.server_process import ServerProcess, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
PROGRAM_SECONDS = 120


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Serves a model for each thing that clients ask for, and has `stored` in its folder, to be loaded."""
    folder = tmp_path_factory.mktemp("models")
    saved(onnx_models.double(["N", 2]), folder / "repository" / "stored" / "1" / "model.onnx")
    models = {
        **{f"echo_{name.lower()}": onnx_models.identity(name, ["N", "M"]) for name in onnx_models.ELEMENT},
        "versions:1": onnx_models.double(["N", 2]),
        "versions:2": onnx_models.identity("FP32", ["N", 2]),
        "sums": onnx_models.two_outputs(),
        "scalar": onnx_models.rows_and_a_scalar(),
        "divide": onnx_models.divide(["N", "M"]),
        "lookup": onnx_models.lookup(rows=3),
        "slow": onnx_models.slow(),
    }
    files = {name: saved(model, folder / f"{name.replace(':', '-')}.onnx") for name, model in models.items()}
    repository = ("--models-dir", str(folder / "repository"), "--model-control", "explicit")
    with serving(
        *(f"--model={name}={path}" for name, path in files.items()), *repository, "--grpc-port=0"
    ) as process:
        yield process


@pytest.fixture(scope="session")
def findings(server: ServerProcess) -> Callable[..., dict[str, str | None]]:
    """Runs a program with the packages of `requirements` against the server's `port` (a field of its log).

    Gives for each statement None or what was found instead, and under "" how the program ended.
    """

    @cache
    def found(program: str, requirements: str, port: str, *arguments: str) -> dict[str, str | None]:
        interpreter = python(HERE / f"{requirements}.txt")
        address = f"127.0.0.1:{server.event('listening')[port]}"
        command = [str(interpreter), "-m", f"tests.clients.programs.{program}", address, *arguments]
        done = subprocess.run(
            command, cwd=HERE.parents[1], capture_output=True, text=True, timeout=PROGRAM_SECONDS, check=False
        )
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        held = {line["statement"]: line["failure"] for line in lines}
        return {"": f"exited {done.returncode}: {done.stderr[-3000:]}", **held}

    return found
