"""A handler that cannot be started ends the server with the reason, as an invalid model does."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import onnx_models
from tests.support.handlers import script
from tests.support.onnx_models import saved
from tests.support.server_process import SERVER

if TYPE_CHECKING:
    from pathlib import Path


def ended(folder: Path, *arguments: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The termination log and the log of a server that does not start."""
    termination_log = folder / "termination-log"
    command = [sys.executable, "-m", "modelserver", "--host=127.0.0.1", "--port=0", "--grpc-port=off", *arguments]
    command += [f"--termination-log={termination_log}"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=30, env={"PYTHONPATH": str(SERVER)}
    )
    assert done.returncode == 3
    assert done.stderr == ""
    return json.loads(termination_log.read_text()), [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("init", "part"),
    [
        ("raise RuntimeError('no weights')", "RuntimeError: no weights (score.py, line 3)"),
        (
            "import nothing_like_this",
            "ModuleNotFoundError: No module named 'nothing_like_this' (score.py, line 3)",
        ),
        ("import sys; sys.exit(1)", "SystemExit: 1 (score.py, line 3)"),
        ("import os; os._exit(5)", "the handler's process ended with exit code 5 while it started"),
        ("import os; os.abort()", "the handler's process was killed by SIGABRT while it started"),
        ("x = bytearray(2**30)", "MemoryError"),
    ],
)
def test_an_init_that_fails_is_told_with_its_line(tmp_path: Path, init: str, part: str) -> None:
    path = script(tmp_path, "return 1", init=init)
    reason, log = ended(tmp_path, f"--handler={path}", "--handler-memory=256Mi")
    assert reason["reason"] == "HandlerInvalid"
    assert part in reason["message"]
    assert (log[-1]["reason"], log[-1]["message"]) == ("HandlerInvalid", reason["message"])


def test_its_traceback_is_in_the_log(tmp_path: Path) -> None:
    _, log = ended(tmp_path, f"--handler={script(tmp_path, 'return 1', init='helper()', before=HELPER)}")
    assert any("in helper" in event.get("exception", "") for event in log)


HELPER = "def helper(): raise RuntimeError('deep')"


def test_a_mistake_in_the_script_is_told(tmp_path: Path) -> None:
    path = tmp_path / "score.py"
    path.write_text("def init(:\n")
    assert "SyntaxError: invalid syntax (score.py, line 1)" in ended(tmp_path, f"--handler={path}")[0]["message"]
    path.write_text("def init(): pass\n")
    assert "has no function run()" in ended(tmp_path, f"--handler={path}")[0]["message"]


def test_a_script_that_is_not_there_is_told(tmp_path: Path) -> None:
    message = ended(tmp_path, f"--handler={tmp_path}")[0]["message"]
    assert message.startswith(f"the folder {tmp_path} holds no score.py or main.py")


def test_a_handler_does_not_hide_what_is_wrong_with_a_model(tmp_path: Path) -> None:
    """The handler waits for the model in its init, which never comes."""
    init = "from modelserver.handlers import models\nmodels.only.run({'x': [1.0]})"
    path = script(tmp_path, "return 1", init=init)
    assert ended(tmp_path, f"--handler={path}", f"--model=m={tmp_path}/none.onnx")[0]["reason"] == "ModelInvalid"


def test_a_model_does_not_hide_what_is_wrong_with_a_handler(tmp_path: Path) -> None:
    model = saved(onnx_models.long_to_load(), tmp_path / "m.onnx")
    path = script(tmp_path, "return 1", init="raise RuntimeError")
    assert ended(tmp_path, f"--handler={path}", f"--model=m={model}")[0]["reason"] == "HandlerInvalid"
