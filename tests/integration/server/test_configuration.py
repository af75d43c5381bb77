"""A server that is configured without a command line, as a container's image or a laptop's file would."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support import onnx_models
from tests.support.onnx_models import saved
from tests.support.server_process import SERVER, serving

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_file_and_the_environment_are_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = saved(onnx_models.identity("FP32", ["N"]), tmp_path / "m.onnx")
    file = tmp_path / "server.yaml"
    file.write_text(f"model: [m:1={model}, m:2={model}]\nmax-body: 1Ki\ngrpc-port: off\n")
    monkeypatch.setenv("MODELSERVER_CONFIG", str(file))
    monkeypatch.setenv("MODELSERVER_MAX_BODY", "2Ki")
    with serving() as server:
        assert server.client.get("/v2/models/m").json()["versions"] == ["1", "2"]
        assert server.score([1.5] * 300).status_code == 200
        assert server.score([1.5] * 600).status_code == 413


def test_a_mistake_is_a_sentence_that_names_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "server.yaml"
    file.write_text("model: m=/m\nport: eighty\n")
    ended = subprocess.run(
        [sys.executable, "-m", "modelserver", "--config", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"PYTHONPATH": str(SERVER)},
    )
    assert ended.returncode == 2
    assert f"error: {file}, line 2, port: 'eighty' is not a port" in ended.stderr
    assert "Traceback" not in ended.stderr
