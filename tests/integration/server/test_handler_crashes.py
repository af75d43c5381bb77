"""Whatever a handler does to its process, the models go on, and the next request is answered."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import onnx_models
from tests.support.handlers import SWALLOWING, is_gone, script
from tests.support.onnx_models import saved
from tests.support.server_process import ServerProcess, serving
from tests.support.until import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

BEFORE = "import ctypes, os, signal, sys, time"
RUN = """
if data == "pid":
    return os.getpid()
exec(data)
return "survived"
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    model = saved(onnx_models.double(["N"]), tmp_path / "m.onnx")
    given = ("--handler-timeout", "0.5", "--handler-memory", "256Mi")
    with serving(f"--handler={script(tmp_path, RUN, before=BEFORE)}", f"--model=m={model}", *given) as process:
        yield process


def post(server: ServerProcess, code: str) -> Any:
    return server.client.post("/score", content=code)


def restarts(server: ServerProcess) -> float | None:
    return server.metric("modelserver_handler_restarts_total")


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("os._exit(7)", "ended with exit code 7"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL"),
        ("ctypes.string_at(0)", "was killed by SIGSEGV"),
        ("os.abort()", "was killed by SIGABRT"),
    ],
)
def test_the_request_that_ends_the_process_is_told_so_and_the_next_is_answered(
    server: ServerProcess, code: str, how: str
) -> None:
    lost = post(server, code)
    assert (lost.status_code, lost.headers["x-ms-run-function-failed"]) == (500, "True")
    assert lost.json() == {"message": f"the handler's process {how} while it ran this request"}
    assert server.score([1], model_name="m").json() == {"results": [2.0]}
    assert server.client.get("/v2/health/ready").status_code == 200
    assert post(server, "pass").json() == "survived"
    assert restarts(server) == 1
    assert server.logged(f"the handler's process {how}")


def test_an_idle_process_that_is_killed_costs_no_request(server: ServerProcess) -> None:
    for count in range(1, 6):
        before = post(server, "pid").json()
        os.kill(before, signal.SIGKILL)
        after = post(server, "pid")
        assert after.status_code == 200
        assert after.json() != before
        assert restarts(server) == count


def test_a_run_that_takes_too_long_is_interrupted_and_the_process_kept(server: ServerProcess) -> None:
    before = post(server, "pid").json()
    late = post(server, "time.sleep(60)")
    assert (late.status_code, late.headers["x-ms-run-function-failed"]) == (500, "True")
    assert late.json() == {"message": "Scoring timeout after 500 ms"}
    assert post(server, "pid").json() == before


@pytest.mark.parametrize("code", ["sum(range(10**13))", SWALLOWING], ids=["in C", "swallowed"])
def test_a_run_that_cannot_be_interrupted_is_killed_with_its_process(server: ServerProcess, code: str) -> None:
    before = post(server, "pid").json()
    assert post(server, code).json() == {"message": "Scoring timeout after 500 ms"}
    assert post(server, "pid").json() != before
    assert server.score([1], model_name="m").status_code == 200


def test_memory_has_a_limit_that_a_run_survives(server: ServerProcess) -> None:
    before = post(server, "pid").json()
    assert post(server, "bytearray(2**28)").status_code == 500
    wait_until(lambda: any("MemoryError" in event.get("exception", "") for event in server.log))
    assert post(server, "pid").json() == before


def test_its_process_is_the_first_that_a_lack_of_memory_ends(server: ServerProcess) -> None:
    adjusted = Path(f"/proc/{post(server, 'pid').json()}/oom_score_adj").read_text()
    assert int(adjusted) > int(Path(f"/proc/{server.process.pid}/oom_score_adj").read_text())


def test_what_it_started_itself_ends_with_it(server: ServerProcess) -> None:
    code = "import subprocess; self = subprocess.Popen(['sleep', '1000']); print(self.pid); os._exit(1)"
    post(server, code)
    wait_until(lambda: any(event["message"].isdigit() for event in server.log))
    child = next(int(event["message"]) for event in server.log if event["message"].isdigit())
    wait_until(lambda: is_gone(child))


def test_it_ends_with_the_server(server: ServerProcess) -> None:
    worker = post(server, "pid").json()
    server.process.kill()
    wait_until(lambda: is_gone(worker))


def test_sys_exit_is_an_error_like_any_other(server: ServerProcess) -> None:
    before = post(server, "pid").json()
    assert post(server, "sys.exit(0)").status_code == 500
    assert post(server, "pid").json() == before


def test_printing_much_stops_nobody_and_loses_no_line(server: ServerProcess) -> None:
    much = "for i in range(1000): print(i, 'x' * 1000)"
    post(server, f"import threading; threading.Thread(target=lambda: exec({much!r})).start()")
    for _ in range(20):
        assert server.score([1], model_name="m").elapsed.total_seconds() < 1
    wait_until(lambda: sum("xxx" in event["message"] for event in server.log) == 1000)


def test_a_handler_that_does_not_start_again_turns_readiness_off_and_says_why(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    init = f"import os\nassert not os.path.exists({str(marker)!r}), 'the marker is there'"
    with serving("--handler", str(script(tmp_path, RUN, init=init, before=BEFORE))) as server:
        marker.touch()
        assert post(server, "os._exit(1)").status_code == 500
        wait_until(lambda: server.client.get("/v2/health/ready").status_code == 503, seconds=20)
        health = server.client.get("/healthcheck")
        assert health.status_code == 503
        assert "AssertionError: the marker is there (score.py, line" in health.json()["handler"]["reason"]
        assert any(event["message"].startswith("the handler did not start again") for event in server.log)
        refused = post(server, "pass")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        marker.unlink()
        wait_until(lambda: server.client.get("/v2/health/ready").status_code == 200, seconds=20)
        assert post(server, "pass").json() == "survived"
        assert "reason" not in server.client.get("/healthcheck").json()["handler"]
