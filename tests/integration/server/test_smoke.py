"""Golden samples: a server that answers them otherwise than it should is never ready, and says why."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from modelserver.grpc.health_pb2 import HealthCheckRequest, HealthCheckResponse
from tests.support import onnx_models
from tests.support.collector import Collector
from tests.support.grpc_client import Client
from tests.support.handlers import script
from tests.support.onnx_models import saved
from tests.support.server_process import SERVER, ServerProcess, serving
from tests.support.until import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COUNTED = 'modelserver_requests_total{code="%d",model="%s",protocol="%s",version="%s"}'
IN_FLIGHT = 'modelserver_requests_in_flight{model="%s",version="1"}'


def tensor(name: str, datatype: str, values: Sequence[float]) -> dict[str, Any]:
    return {"inputs": [{"name": name, "datatype": datatype, "shape": [1, len(values)], "data": values}]}


def doubling(*values: float, to: Sequence[float] | None = None, **more: object) -> dict[str, Any]:
    """A sample for the model `double`, which is right unless told otherwise."""
    doubled = [2 * value for value in values] if to is None else to
    outputs = {"outputs": [{"name": "y", "data": doubled}]}
    return {"request": tensor("x", "FP32", values), "response": outputs, **more}


def scoring(given: object, results: object, **more: object) -> dict[str, Any]:
    """A sample for /score."""
    return {"path": "/score", "request": {"data": given}, "response": {"results": results}, **more}


def turning(turns: int, **more: object) -> dict[str, Any]:
    """A sample for the model `slow`, which takes about as many milliseconds."""
    request = {"inputs": [{"name": "turns", "datatype": "INT64", "shape": [1], "data": [turns]}]}
    return {"path": "/v2/models/slow/infer", "request": request, "response": {"model_name": "slow"}, **more}


@pytest.fixture
def double(tmp_path: Path) -> str:
    return f"--model=double={saved(onnx_models.double(['N', 2]), tmp_path / 'double.onnx')}"


@pytest.fixture
def slow(tmp_path: Path) -> str:
    return f"--model=slow={saved(onnx_models.slow(), tmp_path / 'slow.onnx')}"


def smoke(folder: Path, *samples: dict[str, Any], name: str = "claims.json") -> str:
    """The option that names a folder with these samples in one file."""
    (folder / "samples").mkdir(exist_ok=True)
    (folder / "samples" / name).write_text(json.dumps(samples))
    return f"--smoke={folder / 'samples'}"


def ended(folder: Path, *arguments: str) -> tuple[str, str]:
    """The reason and the message of a server that ends without ever having been ready."""
    termination_log = folder / "termination-log"
    command = [sys.executable, "-m", "modelserver", "--host=127.0.0.1", "--port=0", "--grpc-port=0", *arguments]
    command += [f"--termination-log={termination_log}"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env={"PYTHONPATH": str(SERVER)}
    )
    assert (done.returncode, done.stderr) == (3, "")
    log = [json.loads(line) for line in done.stdout.splitlines()]
    found = json.loads(termination_log.read_text())
    assert (log[-1]["reason"], log[-1]["message"]) == (found["reason"], found["message"])
    assert not any(event["message"] == "ready" for event in log)
    return found["reason"], found["message"]


def health(server: ServerProcess) -> int:
    """What gRPC's health check says."""
    with grpc.insecure_channel(f"127.0.0.1:{server.event('listening')['grpc_port']}") as channel:
        asked = HealthCheckRequest()
        return Client(channel).call("Check", asked, HealthCheckResponse, "grpc.health.v1.Health").status


def readiness(server: ServerProcess) -> tuple[int, int, float | None]:
    """What the three who ask for it are told."""
    status = server.client.get("/v2/health/ready").status_code
    return status, health(server), server.metric("modelserver_ready")


def test_it_is_ready_when_all_samples_are_answered_as_they_should_be(double: str, tmp_path: Path) -> None:
    option = smoke(tmp_path, doubling(1, 2), doubling(1, 2, to=[2.001, 4.003]), scoring([[3, 4]], [[6, 8]]))
    (tmp_path / "samples/more.yaml").write_text(
        "path: /v2/models/double/versions/1/infer\n"
        "request: {inputs: [{name: x, datatype: FP32, shape: [1, 2], data: [1e-05, 2]}]}\n"
        "response: {model_version: '1', outputs: [{name: y, datatype: FP32, shape: [1, 2], data: [2e-05, 4]}]}\n"
    )
    with serving(double, option) as server:
        assert readiness(server) == (200, HealthCheckResponse.SERVING, 1)
        assert server.event("golden samples agree")["samples"] == 4


def test_samples_are_counted_apart_from_what_users_ask(double: str, tmp_path: Path) -> None:
    refused = {"path": "/v2/models/double/infer", "request": {}, "response": {}, "status": 400}
    with serving(double, smoke(tmp_path, doubling(1, 2), scoring([[3, 4]], [[6, 8]]), refused)) as server:
        assert server.metric(COUNTED % (200, "double", "smoke", "1")) == 2
        assert server.metric(COUNTED % (400, "double", "smoke", "1")) == 1
        assert server.metric(COUNTED % (200, "double", "score", "1")) is None
        assert server.metric(COUNTED % (200, "double", "v2", "1")) is None
        server.score([[1, 2]])
        assert server.metric(COUNTED % (200, "double", "score", "1")) == 1
        assert server.metric(COUNTED % (200, "double", "smoke", "1")) == 2


def test_a_wrong_answer_ends_it_with_what_is_wrong(double: str, tmp_path: Path) -> None:
    option = smoke(tmp_path, doubling(1, 2), doubling(1, 2, to=[2, 4.5], name="two"), doubling(3, 4))
    reason, message = ended(tmp_path, double, option)
    assert reason == "SmokeFailed"
    assert message == (
        "1 of 3 golden samples failed. "
        "The sample two of claims.json: outputs[0].data[1] is 4.0 instead of 4.5 (tolerance 0.001)."
    )


def test_the_tolerance_is_that_of_the_sample(double: str, tmp_path: Path) -> None:
    nearly = [2.0, 4.02]
    with serving(double, smoke(tmp_path, doubling(1, 2, to=nearly, tolerance=0.01))) as server:
        assert readiness(server)[0] == 200
    assert (
        "(tolerance 0.004)"
        in ended(tmp_path, double, smoke(tmp_path, doubling(1, 2, to=nearly, tolerance=0.004)))[1]
    )


def test_another_status_ends_it_with_the_answer(double: str, tmp_path: Path) -> None:
    wrong = {"request": tensor("z", "FP32", [1, 2]), "response": {}}
    _, message = ended(tmp_path, double, smoke(tmp_path, wrong, doubling(1, 2, status=400)))
    assert message.startswith("2 of 2 golden samples failed. The sample [0] of claims.json: its status is 400 ")
    assert 'instead of 200, with {"error":"the model has no input \'z\'' in message
    assert "The sample [1] of claims.json: its status is 200 instead of 400" in message


def test_an_answer_that_takes_longer_than_requests_may_ends_it(slow: str, tmp_path: Path) -> None:
    option = smoke(tmp_path, turning(100_000, name="endless"))
    reason, message = ended(tmp_path, slow, option, "--request-timeout=0.5")
    assert reason == "SmokeFailed"
    assert "The sample endless of claims.json: its status is 503 instead of 200" in message


def test_of_many_failures_the_first_are_told_and_all_are_logged(double: str, tmp_path: Path) -> None:
    samples = [doubling(1, 2, to=[0, 0], name=f"{'n' * 80}{number}") for number in range(20)]
    _, message = ended(tmp_path, double, smoke(tmp_path, *samples))
    assert message.startswith("20 of 20 golden samples failed. The sample nnn")
    assert message.endswith(f"(tolerance 0.001). The log tells of {20 - message.count('The sample')} more.")
    assert 500 < len(message) <= 1000


def test_users_are_served_but_nobody_is_told_that_it_is_ready_while_samples_run(
    double: str, slow: str, tmp_path: Path
) -> None:
    option = smoke(tmp_path, turning(3000))
    with serving(double, slow, option, "--threads=2", until_ready=False) as server:
        wait_until(lambda: server.metric(IN_FLIGHT % "slow") == 1)
        assert readiness(server) == (503, HealthCheckResponse.NOT_SERVING, 0)
        assert server.client.get("/healthcheck").json()["status"] == "loading"
        assert server.score([[1, 2]], model_name="double").json() == {"results": [[2, 4]]}
        assert server.metric(IN_FLIGHT % "slow") == 1, "the sample was answered before all this was asked"
        wait_until(lambda: server.client.get("/v2/health/ready").status_code == 200, seconds=30)
        assert readiness(server) == (200, HealthCheckResponse.SERVING, 1)


def test_it_can_be_stopped_while_samples_run(slow: str, tmp_path: Path) -> None:
    termination_log = tmp_path / "termination-log"
    option = smoke(tmp_path, turning(100_000))
    with serving(slow, option, f"--termination-log={termination_log}", until_ready=False) as server:
        wait_until(lambda: server.metric(IN_FLIGHT % "slow") == 1)
        server.process.terminate()
        assert server.process.wait(10) == 0
        wait_until(lambda: server.logged("stopped"))
        assert not termination_log.exists()


def test_with_several_models_a_sample_says_which_it_means(double: str, tmp_path: Path) -> None:
    identity = f"--model=same={saved(onnx_models.identity('FP32', ['N', 2]), tmp_path / 'same.onnx')}"
    same = doubling(1, 2, to=[1, 2], path="/v2/models/same/infer")
    named = scoring([[1, 2]], [[2, 4]], path="/score?model_name=double")
    with serving(double, identity, smoke(tmp_path, doubling(1, 2, path="/v2/models/double/infer"), same, named)):
        pass
    reason, message = ended(tmp_path, double, identity, smoke(tmp_path, doubling(1, 2)))
    assert reason == "SmokeInvalid"
    assert message == (
        "The sample [0] of claims.json cannot be used: path is missing; "
        "write /v2/models/NAME/infer or /score (there is double, same)"
    )


def test_several_versions_are_one_model(double: str, tmp_path: Path) -> None:
    with serving(double, double.replace("double=", "double:2=", 1), smoke(tmp_path, doubling(1, 2))) as server:
        assert server.metric(COUNTED % (200, "double", "smoke", "2")) == 1


@pytest.mark.parametrize("path", ["/v2/model/double/infer", "/v2/models/double", "/v2/repository/index"])
def test_a_path_that_takes_no_inference_is_refused_before_anything_is_loaded(path: str, tmp_path: Path) -> None:
    reason, message = ended(tmp_path, "--model=double=/missing.onnx", smoke(tmp_path, doubling(1, 2, path=path)))
    assert reason == "SmokeInvalid"
    assert message == (
        f"The sample [0] of claims.json cannot be used: nothing answers POST {path}; "
        "its path has to be /v2/models/NAME/infer or /score"
    )


def test_a_folder_that_cannot_be_read_ends_it(double: str, tmp_path: Path) -> None:
    assert ended(tmp_path, double, f"--smoke={tmp_path / 'missing'}")[0] == "SmokeInvalid"


def test_a_handler_is_asked_like_a_model(double: str, tmp_path: Path) -> None:
    handler = f"--handler=mine={script(tmp_path, RUN, before='import json')}"
    option = smoke(tmp_path, scoring([1, 2], {"sum": 6}, response={"sum": 6}), doubling(1, 2))
    with serving(handler, double, option) as server:
        assert server.metric(COUNTED % (200, "mine", "smoke", "")) == 1
        assert server.metric(COUNTED % (200, "mine", "score", "")) is None
        assert server.client.post("/score", json={"data": [1, 2]}).json() == {"sum": 6}
        assert server.metric(COUNTED % (200, "mine", "score", "")) == 1


RUN = """
from modelserver.handlers import models
return {"sum": float(models.only.run({"x": [json.loads(data)["data"]]})["y"].sum())}
"""


def test_a_handler_that_answers_otherwise_ends_it(tmp_path: Path) -> None:
    handler = f"--handler={script(tmp_path, 'return [0.25]')}"
    right, wrong = scoring(1, None, response=[0.25]), scoring(1, None, response=[0.5], name="half")
    reason, message = ended(tmp_path, handler, smoke(tmp_path, right, wrong))
    assert reason == "SmokeFailed"
    assert message == (
        "1 of 2 golden samples failed. "
        "The sample half of claims.json: [0] is 0.25 instead of 0.5 (tolerance 0.001)."
    )


def test_a_handlers_headers_are_those_of_the_sample(tmp_path: Path) -> None:
    path = tmp_path / "score.py"
    path.write_text("def init(): pass\ndef run(data, request_headers): return request_headers['X-Tenant']\n")
    sample = scoring(1, None, response="blue", headers={"x-tenant": "blue"})
    with serving(f"--handler={path}", smoke(tmp_path, sample)):
        pass


def test_samples_need_no_key_where_users_do(double: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("right")
    option = smoke(tmp_path, doubling(1, 2), scoring([[1, 2]], [[2, 4]]))
    with serving(double, option, f"--api-keys={tmp_path / 'keys'}") as server:
        assert readiness(server)[0] == 200
        assert server.score([[1, 2]]).status_code == 401


def test_samples_are_not_traced(double: str, tmp_path: Path) -> None:
    collector = Collector()
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    with serving(double, smoke(tmp_path, doubling(1, 2)), variables=variables) as server:
        server.score([[1, 2]])
        wait_until(lambda: bool(collector.spans))
        assert {span.name for span in collector.spans} == {"POST /score", "queue", "run"}
        assert len(collector.named("run")) == 1
    collector.close()


def test_the_folder_can_be_named_by_the_environment(double: str, tmp_path: Path) -> None:
    folder = smoke(tmp_path, doubling(1, 2)).partition("=")[2]
    with serving(double, variables={"MODELSERVER_SMOKE": folder}) as server:
        assert server.logged("golden samples agree")
