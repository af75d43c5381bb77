"""A handler beside models, or alone: who answers what, and what a script finds around it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.support import onnx_models
from tests.support.handlers import script
from tests.support.onnx_models import saved
from tests.support.server_process import serving
from tests.support.until import wait_until

if TYPE_CHECKING:
    from pathlib import Path

UNTIL_A_FILE_IS_THERE = """
import os, time
while not os.path.exists({path!r}):
    time.sleep(0.01)
"""


def test_a_server_may_have_a_handler_and_no_model(tmp_path: Path) -> None:
    with serving("--handler", str(script(tmp_path, "return data[::-1]"))) as server:
        assert server.client.post("/score", content="abc").json() == "cba"
        assert server.client.get("/score", params={"a": 1}).json() == '}1 :"a"{'
        assert server.client.get("/v2/health/ready").json() == {"ready": True}
        assert server.client.get("/healthcheck").json() == {
            "status": "ready",
            "models": [],
            "handler": {"name": "score", "ready": True},
        }
        assert server.client.get("/").text == "Healthy"
        missing = server.client.post("/v2/models/m/infer", json={})
        assert (missing.status_code, "there is no model 'm' here" in missing.json()["error"]) == (404, True)


def test_what_names_a_model_goes_to_the_model(tmp_path: Path) -> None:
    model = saved(onnx_models.double(["N"]), tmp_path / "m.onnx")
    with serving("--handler", str(script(tmp_path, "return 'handler'")), "--model", f"m={model}") as server:
        assert server.score([1]).json() == "handler"
        assert server.score([1], model_name="m").json() == {"results": [2.0]}
        assert server.client.get("/score", params={"model_name": "m"}).json()["model_name"] == "m"
        assert server.score([1], model_name="n").status_code == 404
        body = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}
        assert server.client.post("/v2/models/m/infer", json=body).json()["outputs"][0]["data"] == [2.0]


def test_it_is_ready_when_init_has_ended(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    path = script(tmp_path, "return 1", init=UNTIL_A_FILE_IS_THERE.format(path=str(gate)))
    with serving("--handler", str(path), until_ready=False) as server:
        assert server.client.get("/").status_code == 200
        assert server.client.get("/v2/health/ready").status_code == 503
        assert server.client.get("/healthcheck").json()["status"] == "loading"
        refused = server.client.post("/score", content="x")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "still starting" in refused.json()["message"]
        gate.touch()
        wait_until(lambda: server.client.get("/v2/health/ready").status_code == 200)
        assert server.client.post("/score", content="x").json() == 1


def test_init_is_called_once_for_each_process(tmp_path: Path) -> None:
    path = script(tmp_path, "return calls", init="calls.append(os.getpid())", before="import os\ncalls = []")
    with serving("--handler", str(path), "--handler-workers", "2") as server:
        answers = [server.client.post("/score").json() for _ in range(10)]
    assert all(len(calls) == 1 for calls in answers)
    assert len([event for event in server.log if event["message"] == "handler ready"]) == 2


def test_processes_run_side_by_side(tmp_path: Path) -> None:
    """Each waits for the other to have begun."""
    run = f"""
    mine, other = {str(tmp_path)!r} + "/" + data, {str(tmp_path)!r} + "/" + {{"a": "b", "b": "a"}}[data]
    open(mine, "w").close()
    {UNTIL_A_FILE_IS_THERE.replace("{path!r}", "other").strip().replace(chr(10), chr(10) + "    ")}
    return data
    """
    path = script(tmp_path, run)
    with serving("--handler", str(path), "--handler-workers", "2") as server, ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda name: server.client.post("/score", content=name).json(), "ab")
        assert list(answers) == ["a", "b"]


def test_a_script_finds_what_azure_ml_gives_it(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("VALUE = 'from the file beside it'")
    path = script(
        tmp_path,
        "return [beside.VALUE, __name__, os.getcwd(), {name: os.environ[name] for name in NAMES}]",
        before="""
        import os
        import beside
        from azureml.contrib.services.aml_request import AMLRequest, rawhttp
        from azureml.contrib.services.aml_response import AMLResponse
        NAMES = ["AZUREML_MODEL_DIR", "AML_APP_ROOT", "AZUREML_ENTRY_SCRIPT", "MINE"]
        """,
    )
    model = saved(onnx_models.double(["N"]), tmp_path / "models" / "m.onnx")
    with serving("--handler", str(tmp_path), f"--model=m={model}", variables={"MINE": "1"}) as server:
        assert server.client.post("/score").json() == [
            "from the file beside it",
            "entry_module",
            str(tmp_path),
            {
                "AZUREML_MODEL_DIR": str(model.parent),
                "AML_APP_ROOT": str(tmp_path),
                "AZUREML_ENTRY_SCRIPT": str(path),
                "MINE": "1",
            },
        ]


def test_its_process_loads_nothing_that_the_handler_does_not(tmp_path: Path) -> None:
    path = script(tmp_path, "return sorted(sys.modules)", before="import sys")
    with serving("--handler", str(path)) as server:
        loaded = set(server.client.post("/score").json())
    assert loaded.isdisjoint(
        {"numpy", "onnxruntime", "flask", "asyncio", "prometheus_client", "modelserver.service"}
    )


def test_what_it_prints_and_logs_become_lines_of_the_log(tmp_path: Path) -> None:
    run = """
    print("printed", "ü")
    print("complained", file=sys.stderr)
    logging.getLogger("mine").warning("logged %s", 1)
    sys.stdout.write("no end of line, " + "x" * 100_000)
    os.write(1, b"\\xff\\n")
    raise ValueError("why")
    """
    path = script(tmp_path, run, before="import logging, os, sys")
    with serving("--handler", str(path)) as server:
        assert server.client.post("/score").status_code == 500
        wait_until(lambda: server.logged("run() failed"))
        wait_until(lambda: any(event["message"].endswith("\\xff") for event in server.log))
    assert server.event("printed ü")["level"] == "info"
    assert server.event("complained")["level"] == "warning"
    logged = server.event("logged 1")
    assert (logged["level"], logged["logger"], logged["handler"]) == ("warning", "mine", "score")
    assert "ValueError: why" in server.event("run() failed")["exception"]


def test_requests_are_counted_like_those_of_models(tmp_path: Path) -> None:
    with serving("--handler", f"mine={script(tmp_path, 'return 1 // int(data)')}") as server:
        for divisor in ("1", "1", "0"):
            server.client.post("/score", content=divisor)
        series = 'modelserver_requests_total{code="%s",model="mine",protocol="score",version=""}'
        assert (server.metric(series % 200), server.metric(series % 500)) == (2, 1)
        assert server.metric('modelserver_requests_in_flight{model="mine",version=""}') == 0
        assert server.metric('modelserver_inference_duration_seconds_count{model="mine",version=""}') == 3
        assert server.metric("modelserver_handler_restarts_total") == 0


def test_a_large_body_and_a_large_answer_pass(tmp_path: Path) -> None:
    with serving("--handler", str(script(tmp_path, "return data * 2"))) as server:
        text = "ab" * 4_000_000
        assert server.client.post("/score", content=text).json() == text * 2


def test_an_answer_that_is_too_large_is_refused_and_the_next_is_answered(tmp_path: Path) -> None:
    with serving("--handler", str(script(tmp_path, "return 'x' * int(data)"))) as server:
        assert server.client.post("/score", content=str(2**28)).status_code == 500
        assert server.client.post("/score", content="2").json() == "xx"
        assert server.metric("modelserver_handler_restarts_total") == 0


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_where_keys_are_asked_for_only_who_has_one_reaches_the_handler(tmp_path: Path, method: str) -> None:
    """Browsers send OPTIONS without any key, so that it is open; a handler with rawhttp would run."""
    before = "from azureml.contrib.services.aml_request import rawhttp\nruns = []"
    path = script(tmp_path, "runs.append('secret')\nreturn runs", before=before)
    path.write_text(path.read_text().replace("def run", "@rawhttp\ndef run"))
    keys = tmp_path / "keys"
    keys.write_text("the-only-key-that-there-is-0123456789\n")
    with serving("--handler", str(path), "--api-keys", str(keys)) as server:
        answer = server.client.request(method, "/score")
        assert (answer.status_code, "secret" in answer.text) == ({"POST": 401, "OPTIONS": 200}[method], False)
        headers = {"Authorization": "Bearer the-only-key-that-there-is-0123456789"}
        assert server.client.post("/score", headers=headers).json() == ["secret"]


def test_the_request_log_sees_it_as_any_other(tmp_path: Path) -> None:
    log, live = tmp_path / "requests.jsonl", tmp_path / "live.yaml"
    live.write_text(f"requestLog: {{percent: 100, to: {log}}}\n")
    with serving("--handler", str(script(tmp_path, "return 'answer'")), "--live-settings", str(live)) as server:
        wait_until(lambda: server.client.post("/score", content="asked").is_success and log.exists())
        wait_until(lambda: bool(log.read_text()))
    line = json.loads(log.read_text().splitlines()[0])
    assert (line["protocol"], line["request"]["body"], line["response"]["body"]) == ("score", "asked", '"answer"')
