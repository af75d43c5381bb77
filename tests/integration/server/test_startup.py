"""From start to ready: probes are told the truth, and a model that cannot be served ends the process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.support import onnx_models
from tests.support.onnx_models import saved
from tests.support.server_process import SERVER, serving
from tests.support.until import wait_until

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_alive_but_not_ready_while_its_model_loads(tmp_path: Path) -> None:
    path = saved(onnx_models.long_to_load(), tmp_path / "m.onnx")
    with serving("--model", f"m={path}", until_ready=False) as server:
        client = server.client
        assert client.get("/").status_code == 200
        assert client.get("/v2/health/live").json() == {"live": True}
        assert (client.get("/v2/health/ready").status_code, client.get("/healthcheck").status_code) == (503, 503)
        assert client.get("/healthcheck").json() == {"status": "loading", "models": []}
        assert client.get("/v2/models/m/ready").status_code == 503
        refused = server.score([1])
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "still loading" in refused.json()["message"]
        assert server.metric("modelserver_ready") == 0
        wait_until(lambda: client.get("/v2/health/ready").status_code == 200, seconds=60)
        assert client.get("/healthcheck").json() == {"status": "ready", "models": [{"name": "m", "version": "1"}]}
        assert client.get("/v2/models/m/ready").status_code == 200
        assert server.score([1]).status_code == 200
        assert server.metric("modelserver_ready") == 1


@pytest.mark.parametrize("content", [b"not a model", None])
def test_a_model_that_cannot_be_loaded_ends_the_server_with_the_reason(
    tmp_path: Path, content: bytes | None
) -> None:
    model, termination_log = tmp_path / "m.onnx", tmp_path / "termination-log"
    termination_log.touch()
    if content:
        model.write_bytes(content)
    command = [sys.executable, "-m", "modelserver", "--host=127.0.0.1", "--port=0", f"--model=claims={model}"]
    command += [f"--termination-log={termination_log}"]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=30, env={"PYTHONPATH": str(SERVER)}
    )
    assert ended.returncode == 3
    reason = json.loads(termination_log.read_text())
    assert reason["reason"] == "ModelInvalid"
    assert str(model) in reason["message"]
    assert json.loads(ended.stdout.splitlines()[-1])["message"] == reason["message"]


def test_nothing_is_written_and_nothing_said_beside_the_log(tmp_path: Path) -> None:
    """ONNX Runtime's telemetry would leave a device ID in the home folder, or a complaint that it cannot."""
    path, home = saved(onnx_models.double(["N"]), tmp_path / "m.onnx"), tmp_path / "home"
    home.mkdir()
    command = [sys.executable, "-m", "modelserver", f"--model=m={path}", "--host=127.0.0.1", "--port=0"]
    environment = {"PYTHONPATH": str(SERVER), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout
        while b'"ready"' not in process.stdout.readline():
            pass
        process.terminate()
        assert process.stderr
        assert process.stderr.read() == b""
    assert list(home.iterdir()) == []


def test_a_warm_up_that_fails_is_only_a_warning(tmp_path: Path) -> None:
    path = saved(onnx_models.never_runs(), tmp_path / "m.onnx")
    with serving("--model", f"m={path}") as server:
        assert any("warm-up failed" in event["message"] for event in server.log if event["level"] == "warning")
        assert server.client.get("/v2/health/ready").status_code == 200
        failed = server.score([[1]])
        assert failed.status_code == 500
        assert "'m' failed on this input" in failed.json()["message"]


def test_a_port_that_is_taken_is_a_sentence_not_a_traceback(tmp_path: Path) -> None:
    path = saved(onnx_models.double(["N"]), tmp_path / "m.onnx")
    with serving("--model", f"m={path}") as server:
        command = [sys.executable, "-m", "modelserver", f"--model=m={path}", "--host=127.0.0.1"]
        command += [f"--port={server.url.rpartition(':')[2]}"]
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=30, env={"PYTHONPATH": str(SERVER)}
        )
    assert ended.returncode == 1
    assert "cannot listen" in json.loads(ended.stdout)["message"]
    assert ended.stderr == ""


def test_it_is_ready_in_well_under_a_second(tmp_path: Path) -> None:
    path = saved(onnx_models.double(["N"]), tmp_path / "m.onnx")
    with serving("--model", f"m={path}"):
        pass  # so that everything is byte-compiled
    started = time.monotonic()
    with serving("--model", f"m={path}"):
        assert time.monotonic() - started < 2  # 0.3 s alone; other tests may share the machine
