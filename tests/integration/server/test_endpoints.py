"""Every endpoint of a running server, as clients see it."""

from __future__ import annotations

import asyncio
import gzip
import time
import zlib
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support import onnx_models
from tests.support.onnx_models import saved
from tests.support.server_process import ServerProcess, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder: Path = tmp_path_factory.mktemp("models")
    arguments = [
        f"--model=double:1={saved(onnx_models.double(['N', 2]), folder / 'double.onnx')}",
        f"--model=double:2={saved(onnx_models.identity('FP32', ['N', 2]), folder / 'identity.onnx')}",
        f"--model=text={saved(onnx_models.identity('BYTES', ['N', 1]), folder / 'text.onnx')}",
        f"--model=lookup={saved(onnx_models.lookup(rows=3), folder / 'lookup.onnx')}",
        f"--model=slow={saved(onnx_models.slow(), folder / 'slow.onnx')}",
    ]
    with serving(*arguments) as process:
        yield process


def test_score_answers_the_model_that_the_query_names(server: ServerProcess) -> None:
    assert server.score(["a", "b"], model_name="text").json() == {"results": [["a"], ["b"]]}


def test_score_answers_the_model_that_the_body_names(server: ServerProcess) -> None:
    for name, data in (("text", ["a"]), ("lookup", [2])):
        answer = server.client.post("/score", json={"model_name": name, "data": data})
        assert answer.json() == {"results": [["a"]] if name == "text" else [2]}


def test_score_without_a_name_asks_for_one_when_there_are_several(server: ServerProcess) -> None:
    answer = server.score([1])
    assert answer.status_code == 400
    assert "model_name=NAME; there is 'double', 'text', 'lookup', 'slow'" in answer.json()["message"]


def test_score_explains_itself(server: ServerProcess) -> None:
    usage = server.client.get("/score?model_name=text").json()
    assert usage["inputs"] == [{"name": "x", "datatype": "BYTES", "shape": [-1, 1]}]
    assert server.client.post("/score?model_name=text", json=usage["example"]).status_code == 200
    assert server.client.get("/score").json()["models"][0]["model_name"] == "double"


def test_versions_are_addressed_by_path_and_the_last_one_given_is_the_default(server: ServerProcess) -> None:
    body = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}
    for path, data, version in [("/versions/1", [2, 4], "1"), ("/versions/2", [1, 2], "2"), ("", [1, 2], "2")]:
        answer = server.client.post(f"/v2/models/double{path}/infer", json=body).json()
        assert (answer["outputs"][0]["data"], answer["model_version"]) == (data, version)
    assert server.client.get("/v2/models/double").json()["versions"] == ["1", "2"]


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence"),
    [
        ("GET", "/nothing", 404, "nothing at /nothing"),
        ("GET", "/v2/models/", 404, "nothing at"),
        ("GET", "/v2/models/unknown", 404, "no model 'unknown' here; there is 'double'"),
        ("GET", "/v2/models/double/versions/9", 404, "no version '9' here; it has 1, 2"),
        ("GET", "/v2/models/unknown/ready", 404, "no model 'unknown'"),
        ("POST", "/v2/models/unknown/infer", 404, "no model 'unknown'"),
        ("POST", "/score?model_name=unknown", 404, "no model 'unknown'"),
        ("POST", "/v2/models/double/infer", 400, "not valid JSON"),
        ("DELETE", "/score", 405, "/score answers to GET, POST, HEAD only"),
        ("POST", "/v2/health/live", 405, "answers to GET, HEAD only"),
        ("GET", "/v2/models/double/infer", 405, "answers to POST only"),
    ],
)
def test_what_cannot_be_answered_is_explained(
    server: ServerProcess, method: str, path: str, status: int, sentence: str
) -> None:
    answer = server.client.request(method, path)
    assert answer.status_code == status
    assert sentence in answer.text
    if status == 405:
        assert answer.headers["allow"] in answer.text


def test_the_content_type_does_not_matter(server: ServerProcess) -> None:
    for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/octet-stream"}):
        answer = server.client.post("/score?model_name=text", content=b'{"data": ["a"]}', headers=headers)
        assert answer.json() == {"results": [["a"]]}


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_bodies_may_be_compressed_both_ways(server: ServerProcess, encoding: str) -> None:
    plain = b'{"data": ["' + b"a" * 10_000 + b'"]}'
    body = gzip.compress(plain) if encoding == "gzip" else zlib.compress(plain)
    answer = server.client.post(
        "/score?model_name=text", content=body, headers={"Content-Encoding": encoding, "Accept-Encoding": encoding}
    )
    assert answer.json() == {"results": [["a" * 10_000]]}
    assert answer.headers["content-encoding"] == encoding
    assert int(answer.headers["content-length"]) < 1000


def test_a_client_that_accepts_whatever_its_library_knows_gets_plain_answers(server: ServerProcess) -> None:
    assert "," in server.client.headers["accept-encoding"]
    assert "content-encoding" not in server.score(["a"], model_name="text").headers


@pytest.mark.parametrize(
    ("encoding", "body", "status", "sentence"),
    [
        ("br", b"x", 400, "compressed with br"),
        ("gzip", b"x" * 100, 400, "cannot be decompressed"),
        ("gzip", gzip.compress(b'{"data": []}')[:-9], 400, "ends too early"),
        ("gzip", gzip.compress(b"{}") + b"garbage", 400, "cannot be decompressed"),
        ("gzip", gzip.compress(bytes(65 * 1024 * 1024)), 413, "when it is decompressed"),
    ],
    ids=["unknown", "garbage", "cut short", "garbage behind it", "a bomb"],
)
def test_a_compressed_body_that_cannot_be_read_is_refused_with_a_sentence(
    server: ServerProcess, encoding: str, body: bytes, status: int, sentence: str
) -> None:
    for path, member in (("/score?model_name=text", "message"), ("/v2/models/text/infer", "error")):
        answer = server.client.post(path, content=body, headers={"Content-Encoding": encoding})
        assert (answer.status_code, sentence in answer.json()[member]) == (status, True)


def test_the_server_describes_itself(server: ServerProcess) -> None:
    assert server.client.get("/v2").json()["name"] == "modelserver"
    assert server.client.get("/").text == "Healthy"


def test_a_model_that_fails_answers_500_and_goes_on(server: ServerProcess) -> None:
    failed = server.score([7], model_name="lookup")
    assert failed.status_code == 500
    assert "'lookup' failed on this input" in failed.text
    assert server.score([2], model_name="lookup").json() == {"results": [2]}


async def test_health_answers_while_models_run(server: ServerProcess) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        busy = [
            asyncio.create_task(client.post("/score?model_name=slow", json={"data": [2000]})) for _ in range(4)
        ]
        waits: list[float] = []
        while not all(task.done() for task in busy):
            started = time.monotonic()
            assert (await client.get("/v2/health/live")).status_code == 200
            waits.append(time.monotonic() - started)
        assert [(await task).status_code for task in busy] == [200] * 4
    assert len(waits) > 10
    assert max(waits) < 0.5


def test_requests_are_counted_by_model_version_protocol_and_code(server: ServerProcess) -> None:
    def count(model: str, version: str, protocol: str, code: int) -> float:
        labels = f'code="{code}",model="{model}",protocol="{protocol}",version="{version}"'
        return server.metric(f"modelserver_requests_total{{{labels}}}") or 0

    before = [count("text", "1", "score", 200), count("lookup", "1", "score", 500), count("", "", "v2", 404)]
    server.score(["a"], model_name="text")
    server.score([7], model_name="lookup")
    server.client.post("/v2/models/no-such-model/infer")
    after = [count("text", "1", "score", 200), count("lookup", "1", "score", 500), count("", "", "v2", 404)]
    assert after == [number + 1 for number in before]
    assert "no-such-model" not in server.client.get("/metrics").text


def test_latency_load_time_and_connections_are_measured(server: ServerProcess) -> None:
    server.score(["a"], model_name="text")
    labels = 'model="text",protocol="score",version="1"'
    assert (server.metric(f"modelserver_request_duration_seconds_count{{{labels}}}") or 0) > 0
    assert (server.metric('modelserver_inference_duration_seconds_count{model="text",version="1"}') or 0) > 0
    assert (server.metric('modelserver_model_load_seconds{model="text",version="1"}') or 0) > 0
    assert (server.metric("modelserver_connections") or 0) >= 1
    assert server.metric('modelserver_requests_in_flight{model="text",version="1"}') == 0
    assert (server.metric("process_resident_memory_bytes") or 0) > 1e7


def test_nothing_of_a_request_is_ever_logged(server: ServerProcess) -> None:
    server.score(["a-secret-word"], model_name="text")
    server.client.post("/v2/models/text/infer", content=b"a-secret-word")
    server.score(["a-secret-word"], model_name="lookup")
    assert server.score([1], model_name="slow").status_code == 200
    assert not any("secret" in str(event) for event in server.log)
