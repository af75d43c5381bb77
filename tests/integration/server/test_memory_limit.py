"""A model that does not fit is refused, and the server goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support import onnx_models
from tests.support.onnx_models import saved
from tests.support.server_process import SERVER, serving

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

HEAVY = {"weights": onnx_models.weights(megabytes=128), "vocabulary": onnx_models.vocabulary(words=300_000)}


@pytest.mark.parametrize("model", HEAVY.values(), ids=HEAVY.keys())
def test_a_load_that_does_not_fit_is_refused_and_the_others_go_on(tmp_path: Path, model: onnx.ModelProto) -> None:
    always = saved(onnx_models.double(["N"]), tmp_path / "always.onnx")
    saved(model, tmp_path / "models" / "heavy" / "1" / "model.onnx")
    limits = ("--model-control=explicit", "--memory-limit=160Mi")
    with serving(f"--model=always={always}", f"--models-dir={tmp_path / 'models'}", *limits) as server:
        refused = server.client.post("/v2/repository/models/heavy/load")
        assert refused.status_code == 507
        assert "'heavy' does not fit" in refused.json()["error"]
        assert "left of 160 MiB" in refused.json()["error"]
        assert server.client.post("/v2/repository/index").json()[-1] == {
            "name": "heavy",
            "version": "1",
            "state": "UNAVAILABLE",
            "reason": refused.json()["error"],
        }
        assert server.score([1]).json() == {"results": [2]}
        assert (server.metric("process_resident_memory_bytes") or 0) < 110e6


def test_a_start_that_does_not_fit_says_so(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    heavy = saved(HEAVY["weights"], tmp_path / "heavy.onnx")
    command = [sys.executable, "-m", "modelserver", f"--model=heavy={heavy}", "--memory-limit=160Mi"]
    command += ["--host=127.0.0.1", "--port=0", "--grpc-port=0", f"--termination-log={log}"]
    log.touch()
    environment = {"PYTHONPATH": str(SERVER)}
    ended = subprocess.run(command, capture_output=True, timeout=30, check=False, env=environment)
    assert ended.returncode == 3
    said = json.loads(log.read_text())
    assert said["reason"] == "ModelInvalid"
    assert "'heavy' does not fit: loading its 128 MiB of files takes more than the" in said["message"]
