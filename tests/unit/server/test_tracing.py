"""Spans of requests, as a collector receives them."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from modelserver.errors import BadRequest, ModelFailed
from modelserver.grpc.message import Call, Reply
from modelserver.observers.observers import wants_traces
from modelserver.observers.tracing import Tracing
from tests.support import onnx_models
from tests.support.collector import Collector, values
from tests.support.finished import PastRun, finished, request
from tests.support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import onnx
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from modelserver.models.model import Model
    from modelserver.observers.finished import Finished

    Loaded = Callable[[onnx.ModelProto], Model]

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
SERVER = 2
ERROR = 2


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that the environment names."""
    running = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
    yield running
    running.close()


async def traced(*requests: Finished) -> None:
    """Returns when the spans of `requests` have been sent."""
    tracing = Tracing()
    for each in requests:
        tracing.finished(each)
    await tracing.close(within_s=5)


def only(collector: Collector) -> Span:
    (span,) = collector.spans
    return span


async def test_a_request_is_a_span_of_its_callers_trace(collector: Collector) -> None:
    await traced(finished(request(SAMPLED)))
    span = only(collector)
    assert (span.trace_id.hex(), span.parent_span_id.hex(), span.trace_state) == (TRACE, PARENT, "vendor=1")
    assert (span.name, span.kind) == ("POST /score", SERVER)


async def test_a_request_without_a_caller_begins_a_trace(collector: Collector) -> None:
    one, other = finished(), finished()
    await traced(one, other)
    assert [span.parent_span_id for span in collector.spans] == [b"", b""]
    assert collector.spans[0].trace_id != collector.spans[1].trace_id


async def test_log_lines_can_name_the_span(collector: Collector) -> None:
    past = finished(request({"x-request-id": "seven"}))
    await traced(past)
    span = only(collector)
    assert past.ids() == {"request_id": "seven", "trace_id": span.trace_id.hex(), "span_id": span.span_id.hex()}


async def test_it_lasts_as_long_as_the_request_did(collector: Collector) -> None:
    before = time.time_ns()
    await traced(finished(seconds=0.5))
    span = only(collector)
    assert span.end_time_unix_nano - span.start_time_unix_nano == 500_000_000
    assert span.end_time_unix_nano == pytest.approx(before, abs=1e9)


@pytest.mark.parametrize(
    ("target", "route"),
    [
        ("/score?model_name=m&code=secret", "/score"),
        ("/v2/models/m/infer", "/v2/models/{name}/infer"),
        ("/v2/models/m/versions/3/infer", "/v2/models/{name}/versions/{version}/infer"),
    ],
)
async def test_what_it_says_of_an_http_request(
    collector: Collector, loaded: Loaded, target: str, route: str
) -> None:
    asked = request({"user-agent": "curl/8"}, target)
    await traced(finished(asked, loaded(onnx_models.identity()), run=PastRun(time.perf_counter(), 0.1, 3)))
    (span,) = collector.named(f"POST {route}")
    assert values(span.attributes) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": route,
        "modelserver.batch.rows": 3,
        "modelserver.model.name": "m",
        "modelserver.model.version": "1",
        "url.path": target.partition("?")[0],
        "url.scheme": "http",
        "user_agent.original": "curl/8",
    }


async def test_a_path_that_only_a_handler_knows_is_no_route(collector: Collector) -> None:
    await traced(finished(request(target="/orders/17")))
    span = only(collector)
    assert span.name == "POST"
    assert "http.route" not in values(span.attributes)


async def test_what_it_says_of_a_grpc_call(collector: Collector) -> None:
    target = "/inference.GRPCInferenceService/ModelInfer"
    call = Call(
        "POST", target, {b"content-type": b"application/grpc", b"traceparent": SAMPLED["traceparent"].encode()}
    )
    await traced(finished(call, error=BadRequest("no"), answer=Reply.refusal(BadRequest("no")), protocol="grpc"))
    span = only(collector)
    assert span.name == "inference.GRPCInferenceService/ModelInfer"
    assert span.parent_span_id.hex() == PARENT
    assert values(span.attributes) == {
        "rpc.system.name": "grpc",
        "rpc.method": "inference.GRPCInferenceService/ModelInfer",
        "rpc.response.status_code": "INVALID_ARGUMENT",
    }


async def test_a_failure_of_the_server_is_an_error_that_says_what_happened(collector: Collector) -> None:
    await traced(finished(error=ModelFailed("the model 'm' failed")))
    span = only(collector)
    assert span.status.code == ERROR
    assert values(span.attributes)["error.type"] == "ModelFailed"
    (event,) = span.events
    assert event.name == "exception"
    assert values(event.attributes) == {
        "exception.type": "ModelFailed",
        "exception.message": "the model 'm' failed",
    }


async def test_a_mistake_of_the_client_is_told_but_no_error_of_the_server(collector: Collector) -> None:
    await traced(finished(error=BadRequest("the body is not valid JSON")))
    span = only(collector)
    assert span.status.code != ERROR
    assert "error.type" not in values(span.attributes)
    assert values(span.events[0].attributes)["exception.message"] == "the body is not valid JSON"


async def test_waiting_and_running_are_spans_within_it(collector: Collector) -> None:
    past = finished(seconds=1)
    past.run = PastRun(past.started + 0.25, 0.5, 1)
    await traced(past)
    (whole,), (queue,), (run,) = (collector.named(name) for name in ("POST /score", "queue", "run"))
    assert {queue.parent_span_id, run.parent_span_id} == {whole.span_id}
    assert {queue.trace_id, run.trace_id} == {whole.trace_id}
    assert queue.start_time_unix_nano == whole.start_time_unix_nano
    assert queue.end_time_unix_nano - queue.start_time_unix_nano == pytest.approx(250e6, abs=1e3)
    assert run.end_time_unix_nano - run.start_time_unix_nano == pytest.approx(500e6, abs=1e3)


async def test_a_caller_that_does_not_record_its_trace_is_followed(collector: Collector) -> None:
    past = finished(request({"traceparent": f"00-{TRACE}-{PARENT}-00"}))
    await traced(past)
    assert collector.spans == []
    assert past.ids()["trace_id"] == TRACE


async def test_the_sampler_is_that_of_the_environment(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    await traced(finished(request(SAMPLED)))
    assert collector.spans == []


async def test_the_service_is_named_by_the_environment(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "claims")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=claims-1")
    await traced(finished())
    assert collector.resource["service.name"] == "claims"
    assert collector.resource["k8s.pod.name"] == "claims-1"


async def test_without_a_name_the_service_is_the_modelserver(collector: Collector) -> None:
    await traced(finished())
    assert collector.resource["service.name"] == "modelserver"


async def test_a_collector_that_fails_is_told_of_once(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    collector.is_broken = True
    await traced(*(finished() for _ in range(3)))
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.getMessage().startswith("traces are lost, requests are not")


async def test_a_collector_that_cannot_be_reached_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    tracing = Tracing()
    started = time.monotonic()
    for _ in range(5000):  # more than its queue takes
        tracing.finished(finished())
    await tracing.close(within_s=0.2)
    assert time.monotonic() - started < 4


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
    ],
)
def test_only_what_the_environment_asks_for_is_traced(environment: dict[str, str], wanted: bool) -> None:
    assert wants_traces(environment) is wanted


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"])
def test_a_protocol_that_it_does_not_speak_is_named(variable: str, caplog: pytest.LogCaptureFixture) -> None:
    assert not wants_traces({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", variable: "grpc"})
    assert "not as otlp over grpc" in caplog.text
