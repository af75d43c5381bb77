"""A running server whose settings change: batch limits, request log and mirror come and go without a restart."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import onnx_models
from tests.support.grpc_calls import infer
from tests.support.onnx_models import saved
from tests.support.server_process import ServerProcess, serving
from tests.support.until import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIRRORED = 'modelserver_mirrored_requests_total{outcome="200"}'
SCORED = 'modelserver_requests_total{code="200",model="double",protocol="score",version="1"}'
COPIED = 'modelserver_requests_total{code="200",model="double",protocol="mirror",version="1"}'


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = saved(onnx_models.double(["N", 2]), tmp_path_factory.mktemp("model") / "double.onnx")
    return f"--model=double={path}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "live.yaml"


@pytest.fixture
def server(model: str, file: Path) -> Iterator[ServerProcess]:
    with serving(model, f"--live-settings={file}") as process:
        yield process


def write(server: ServerProcess, file: Path, text: str) -> None:
    """Changes the settings, and returns when they are in force."""
    before = server.metric("modelserver_live_settings_generation") or 0
    file.write_text(text)
    wait_until(lambda: server.metric("modelserver_live_settings_generation") == before + 1)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_the_request_log_comes_and_goes(server: ServerProcess, file: Path, tmp_path: Path) -> None:
    log = tmp_path / "log" / "requests.jsonl"
    write(server, file, f"requestLog: {{to: {log}, percent: 100}}")
    answer = server.client.post("/score", json={"data": [[1, 2]]}, headers={"x-request-id": "seven"})
    assert answer.status_code == 200
    wait_until(lambda: len(lines(log)) == 1)
    (line,) = lines(log)
    assert (line["request_id"], line["model"], line["protocol"], line["status"]) == (
        "seven",
        "double",
        "score",
        200,
    )
    assert line["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]
    assert line["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [2, 4]}]
    write(server, file, "")
    server.score([[1, 2]])
    write(server, file, f"requestLog: {{to: {log}, percent: 100}}")
    server.score([[3, 4]])
    wait_until(lambda: len(lines(log)) == 2)
    assert lines(log)[1]["inputs"][0]["data"] == [3, 4]


def test_a_compressed_request_has_one_name_in_its_answer_and_in_the_log(
    server: ServerProcess, file: Path, tmp_path: Path
) -> None:
    log = tmp_path / "requests.jsonl"
    write(server, file, f"requestLog: {{to: {log}, percent: 100}}")
    body = gzip.compress(b'{"data": [[1, 2]]}')
    answer = server.client.post("/score", content=body, headers={"content-encoding": "gzip"})
    wait_until(lambda: len(lines(log)) == 1)
    assert lines(log)[0]["request_id"] == answer.headers["x-request-id"]


def test_what_was_not_written_yet_is_when_the_server_stops(
    server: ServerProcess, file: Path, tmp_path: Path
) -> None:
    log = tmp_path / "requests.jsonl"
    write(server, file, f"requestLog: {{to: {log}, percent: 100}}")
    for _ in range(50):
        server.score([[1, 2]])
    server.process.terminate()
    assert server.process.wait(10) == 0
    assert len(lines(log)) == 50


def test_an_invalid_file_changes_nothing_and_is_told(server: ServerProcess, file: Path, tmp_path: Path) -> None:
    log = tmp_path / "requests.jsonl"
    write(server, file, f"requestLog: {{to: {log}, percent: 100}}")
    file.write_text(f"requestLog: {{to: {log}, percent: 1000}}")
    wait_until(lambda: server.metric("modelserver_live_settings_valid") == 0)
    wait_until(lambda: any(event["level"] == "error" for event in server.log))
    (error,) = [event for event in server.log if event["level"] == "error"]
    assert "requestLog.percent must be a number from 0 to 100, not 1000" in error["message"]
    server.score([[1, 2]])
    wait_until(lambda: len(lines(log)) == 1)


def test_requests_are_mirrored_but_not_further(
    server: ServerProcess, model: str, file: Path, tmp_path: Path
) -> None:
    canary_file = tmp_path / "canary.yaml"
    with serving(model, f"--live-settings={canary_file}") as canary:
        write(canary, canary_file, f"mirror: {{url: '{server.url}', percent: 100}}")  # a circle
        write(server, file, f"mirror: {{url: '{canary.url}', percent: 100}}")
        wait_until(lambda: mirrors(server))
        before, sent = server.metric(SCORED) or 0, canary.metric(COPIED) or 0
        for _ in range(20):
            assert server.score([[1, 2]]).json() == {"results": [[2, 4]]}
        wait_until(lambda: (canary.metric(COPIED) or 0) >= sent + 20)
        assert server.metric(SCORED) == before + 20
        assert canary.metric(SCORED) is None
        assert canary.metric(MIRRORED) is None
        write(server, file, "")
        mirrored = server.metric(MIRRORED)
        server.score([[1, 2]])
        assert server.metric(MIRRORED) == mirrored


def test_calls_are_mirrored_as_requests(server: ServerProcess, model: str, file: Path, tmp_path: Path) -> None:
    log, canary_file = tmp_path / "canary.jsonl", tmp_path / "canary.yaml"
    with serving(model, f"--live-settings={canary_file}") as canary:
        write(canary, canary_file, f"requestLog: {{to: {log}, percent: 100}}")
        write(server, file, f"mirror: {{url: '{canary.url}', percent: 100}}")
        wait_until(lambda: mirrors(server))
        assert infer(server, "double", "x", [[5, 6]], {"x-request-id": "seven"}) == [10, 12]
        wait_until(lambda: any(line["request_id"] == "seven" for line in lines(log)))
        (line,) = [line for line in lines(log) if line["request_id"] == "seven"]
        assert (line["protocol"], line["outputs"][0]["data"]) == ("v2", [10, 12])


def mirrors(server: ServerProcess) -> bool:
    """Whether a request was mirrored by now; the client for it is loaded in the background."""
    server.score([[1, 2]])
    return server.metric(MIRRORED) is not None


def test_a_mirror_that_hangs_costs_users_nothing(server: ServerProcess, file: Path) -> None:
    write(server, file, "mirror: {url: 'http://192.0.2.1', percent: 100, timeoutSeconds: 0.2}")  # nobody is there
    wait_until(lambda: bool(server.score([[1, 2]]) and failed(server)))
    assert all(server.score([[1, 2]]).elapsed.total_seconds() < 0.1 for _ in range(20))
    (warning,) = [event for event in server.log if event["level"] == "warning"]
    assert warning["message"].startswith("no answer from the mirror http://192.0.2.1")


def failed(server: ServerProcess) -> bool:
    return bool(server.metric('modelserver_mirrored_requests_total{outcome="error"}'))
