"""A running server that sends its traces to a collector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import onnx_models
from tests.support.collector import Collector, values
from tests.support.grpc_calls import infer
from tests.support.onnx_models import saved
from tests.support.ports import free_port
from tests.support.server_process import ServerProcess, serving
from tests.support.until import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
CALLER = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "seven"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    yield running
    running.close()


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    double = saved(onnx_models.double(["N", 2]), tmp_path / "double.onnx")
    broken = saved(onnx_models.never_runs(), tmp_path / "broken.onnx")
    return [f"--model=double={double}", f"--model=broken={broken}"]


@pytest.fixture
def server(models: list[str], collector: Collector) -> Iterator[ServerProcess]:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    with serving(*models, variables=variables) as process:
        yield process


def test_a_request_is_a_span_with_its_parts(server: ServerProcess, collector: Collector) -> None:
    answer = server.client.post(
        "/v2/models/double/infer",
        json={"inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}]},
        headers=CALLER,
    )
    assert answer.status_code == 200
    wait_until(lambda: len(collector.spans) == 3)
    (whole,) = collector.named("POST /v2/models/{name}/infer")
    (queue,), (run,) = collector.named("queue"), collector.named("run")
    assert (whole.trace_id.hex(), whole.parent_span_id.hex()) == (TRACE, PARENT)
    assert values(whole.attributes)["modelserver.batch.rows"] == 2
    assert queue.parent_span_id == run.parent_span_id == whole.span_id
    assert whole.start_time_unix_nano == queue.start_time_unix_nano <= queue.end_time_unix_nano
    assert queue.end_time_unix_nano == run.start_time_unix_nano <= run.end_time_unix_nano
    assert run.end_time_unix_nano <= whole.end_time_unix_nano


def test_a_call_is_a_span_too(server: ServerProcess, collector: Collector) -> None:
    assert infer(server, "double", "x", [[1, 2]], CALLER) == [2, 4]
    wait_until(lambda: len(collector.spans) == 3)
    (whole,) = collector.named("inference.GRPCInferenceService/ModelInfer")
    assert (whole.trace_id.hex(), whole.parent_span_id.hex()) == (TRACE, PARENT)
    assert values(whole.attributes)["rpc.response.status_code"] == "OK"


def test_a_log_line_about_a_request_names_its_span(server: ServerProcess, collector: Collector) -> None:
    answer = server.client.post("/score?model_name=broken", json={"data": [[1]]}, headers=CALLER)
    assert answer.status_code == 500
    wait_until(lambda: bool(collector.named("POST /score")))
    (span,) = collector.named("POST /score")
    (line,) = [event for event in server.log if event["level"] == "error"]
    assert "the model 'broken' failed" in line["message"]
    assert (line["request_id"], line["trace_id"], line["span_id"]) == ("seven", TRACE, span.span_id.hex())
    assert values(span.attributes)["error.type"] == "ModelFailed"


def test_without_a_collector_a_log_line_names_the_callers_trace(models: list[str]) -> None:
    with serving(*models) as server:
        server.client.post("/score?model_name=broken", json={"data": [[1]]}, headers=CALLER)
        wait_until(lambda: any(event["level"] == "error" for event in server.log))
        (line,) = [event for event in server.log if event["level"] == "error"]
        assert (line["request_id"], line["trace_id"]) == ("seven", TRACE)
        assert "span_id" not in line


def test_spans_that_wait_are_sent_when_the_server_stops(models: list[str], collector: Collector) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "60000"}
    with serving(*models, variables=variables) as server:
        server.score([[1, 2]], model_name="double")
        server.process.terminate()
        assert server.process.wait(10) == 0
    assert len(collector.named("POST /score")) == 1


def test_a_collector_that_is_not_there_delays_neither_answers_nor_the_end(models: list[str]) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}", "OTEL_BSP_SCHEDULE_DELAY": "10"}
    with serving(*models, variables=variables) as server:
        for _ in range(50):
            assert server.score([[1, 2]], model_name="double").status_code == 200
        server.process.terminate()
        assert server.process.wait(10) == 0
