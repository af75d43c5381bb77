"""Requests that are sent again, to another server."""

from __future__ import annotations

import json
import logging
from threading import current_thread
from typing import TYPE_CHECKING

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Counter

from modelserver.errors import BadRequest, Error
from modelserver.grpc.message import Call
from modelserver.http.message import Request, Response
from modelserver.live.settings import MirrorSettings
from modelserver.observers import mirror
from modelserver.observers.agreement import Agreement
from modelserver.observers.copies import Copy
from modelserver.observers.mirror import Mirror
from modelserver.observers.replay import replay
from modelserver.protocols import oip
from tests.support import onnx_models
from tests.support.finished import finished, request
from tests.support.ports import free_port
from tests.support.until import until
from tests.support.webserver import WebServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    import onnx

    from modelserver.comparison import Comparison
    from modelserver.models.model import Model
    from modelserver.observers.answers import Answer

    Loaded = Callable[[onnx.ModelProto], Model]


@pytest.fixture
def canary() -> Iterator[WebServer]:
    server = WebServer()
    yield server
    server.close()


class Mirrored:
    """A mirror, and how its requests ended."""

    def __init__(
        self, url: str, percent: float = 100, timeout_s: float = 5, *, with_credentials: bool = False
    ) -> None:
        self.registry = CollectorRegistry()
        counter = Counter("mirrored", "Requests.", ["outcome"], registry=self.registry)
        settings = MirrorSettings(url, percent, timeout_s)
        self.agreement = Agreement()
        self.registry.register(self.agreement)
        self.mirror = Mirror(settings, counter, self.agreement, with_credentials=with_credentials)

    def take(self, asked: Request, times: int = 1) -> None:
        for _ in range(times):
            self.mirror.finished(finished(asked))

    def compared(self) -> dict[str, float]:
        """How many answers agreed and differed."""
        samples = [sample for metric in self.agreement.collect() for sample in metric.samples]
        return {sample.labels["agreement"]: sample.value for sample in samples if "agreement" in sample.labels}

    def count(self, outcome: str) -> float:
        return self.registry.get_sample_value("mirrored_total", {"outcome": outcome}) or 0


@pytest.fixture
async def mirrored(canary: WebServer) -> AsyncIterator[Mirrored]:
    """All requests to the canary."""
    found = Mirrored(canary.url)
    await found.mirror.open()
    yield found
    await found.mirror.close()


async def test_a_request_is_sent_as_it_came(canary: WebServer, mirrored: Mirrored) -> None:
    headers = {
        "content-type": "application/json; charset=utf-8",
        "x-request-id": "seven",
        "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
        "x-custom": "any",
    }
    mirrored.take(request(headers, "/score?model_name=a%2Fb", b'{"data": [1]}'))
    await until(lambda: mirrored.count("200") == 1)
    (asked,) = canary.asked
    assert (asked.method, asked.target, asked.body) == ("POST", "/score?model_name=a%2Fb", b'{"data": [1]}')
    assert asked.headers == {
        **headers,
        "host": canary.url.removeprefix("http://"),
        "content-length": "13",
        "modelfleet-mirrored": "1",
    }


@pytest.mark.parametrize("body", [b"", np.full(300_000, 7, np.uint8).data])
async def test_bodies_of_any_kind(canary: WebServer, mirrored: Mirrored, body: bytes | memoryview) -> None:
    mirrored.take(Request("POST", "/score", {}, body))
    await until(lambda: mirrored.count("200") == 1)
    assert canary.asked[0].body == bytes(body)


async def test_a_whole_url_as_proxies_send_it(canary: WebServer, mirrored: Mirrored) -> None:
    mirrored.take(request(target="http://elsewhere:80/v2/models/m/infer?a=b"))
    await until(lambda: mirrored.count("200") == 1)
    assert canary.asked[0].target == "/v2/models/m/infer?a=b"


async def test_what_is_the_connections_or_the_callers_secret_stays_here(
    canary: WebServer, mirrored: Mirrored
) -> None:
    private = (
        "authorization",
        "api-key",
        "x-api-key",
        "cookie",
        "expect",
        "te",
        "accept-encoding",
        "content-encoding",
    )
    mirrored.take(request({**dict.fromkeys(private, "x"), "connection": "close", "x-request-id": "1"}))
    await until(lambda: mirrored.count("200") == 1)
    assert canary.asked[0].headers.keys() == {"host", "content-length", "x-request-id", "modelfleet-mirrored"}


async def test_a_server_that_asks_for_keys_hands_them_on(canary: WebServer) -> None:
    mirrored = Mirrored(canary.url, with_credentials=True)
    await mirrored.mirror.open()
    mirrored.take(request({"authorization": "Bearer key", "cookie": "no"}))
    await until(lambda: mirrored.count("200") == 1)
    assert canary.asked[0].headers["authorization"] == "Bearer key"
    assert "cookie" not in canary.asked[0].headers
    await mirrored.mirror.close()


async def test_both_logs_name_the_request_alike(canary: WebServer, mirrored: Mirrored) -> None:
    asked = request()  # its caller gave it no name
    mirrored.take(asked)
    await until(lambda: mirrored.count("200") == 1)
    assert canary.asked[0].headers["x-request-id"] == asked.id


async def test_a_mirrors_request_is_not_mirrored(canary: WebServer, mirrored: Mirrored) -> None:
    mirrored.take(request({"modelfleet-mirrored": "1"}), times=20)
    mirrored.take(request())
    await until(lambda: mirrored.count("200") == 1)
    assert len(canary.asked) == 1


async def test_a_share_of_the_requests_is_mirrored(canary: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "MAX_REQUESTS", 1000)
    mirrored = Mirrored(canary.url, percent=10)
    await mirrored.mirror.open()
    mirrored.take(request(), times=900)
    sent = len(mirrored.mirror._tasks)
    assert sent == pytest.approx(90, abs=45)
    await until(lambda: mirrored.count("200") == sent)
    await mirrored.mirror.close()


async def test_before_its_client_is_there_nothing_is_mirrored(canary: WebServer) -> None:
    mirrored = Mirrored(canary.url)
    mirrored.take(request())
    assert not mirrored.mirror._tasks


async def test_a_grpc_call_becomes_the_same_request_over_http(
    canary: WebServer, mirrored: Mirrored, loaded: Loaded
) -> None:
    model = loaded(onnx_models.divide(["N"]))
    feed = {"a": np.array([1, 2], np.float32), "b": np.array([4, 8], np.float32)}
    metadata = {b"content-type": b"application/grpc", b"x-request-id": b"7"}
    call = Call("POST", "/inference.GRPCInferenceService/ModelInfer", metadata)
    mirrored.mirror.finished(finished(call, model, feed=feed, outputs=["quotient"], protocol="grpc"))
    await until(lambda: mirrored.count("200") == 1)
    (asked,) = canary.asked
    assert (asked.method, asked.target) == ("POST", "/v2/models/m/infer")
    assert asked.headers["x-request-id"] == "7"
    headers = {name.encode(): value.encode() for name, value in asked.headers.items()}
    again = oip.parse(model, Request(asked.method, asked.target, headers, asked.body))
    assert list(again.outputs) == ["quotient"]
    assert {name: array.tolist() for name, array in again.feed.items()} == {"a": [1, 2], "b": [4, 8]}


def test_what_http_2_and_grpc_say_of_a_call_is_no_header_of_a_request(loaded: Loaded) -> None:
    metadata = {
        b":path": b"/any",
        b"content-type": b"application/grpc",
        b"grpc-timeout": b"1S",
        b"te": b"trailers",
    }
    call = Call("POST", "/inference.GRPCInferenceService/ModelInfer", metadata)
    feed = {"x": np.zeros(1, np.float32)}
    again = replay(
        finished(call, loaded(onnx_models.identity()), feed=feed, outputs=["y"]), with_credentials=False
    )
    assert again
    assert again.headers.keys() == {
        "content-type",
        "inference-header-content-length",
        "modelfleet-mirrored",
        "x-request-id",
    }


async def test_texts_of_a_grpc_call_too(canary: WebServer, mirrored: Mirrored, loaded: Loaded) -> None:
    model = loaded(onnx_models.identity("BYTES", ["N"]))
    call = Call("POST", "/inference.GRPCInferenceService/ModelInfer", {b"content-type": b"application/grpc"})
    feed = {"x": np.array(["é", ""], object)}
    mirrored.mirror.finished(finished(call, model, feed=feed, outputs=["y"], protocol="grpc"))
    await until(lambda: mirrored.count("200") == 1)
    headers = {name.encode(): value.encode() for name, value in canary.asked[0].headers.items()}
    again = oip.parse(model, Request("POST", "/", headers, canary.asked[0].body))
    assert again.feed["x"].tolist() == ["é", ""]


async def test_a_call_that_was_not_understood_cannot_be_mirrored(canary: WebServer, mirrored: Mirrored) -> None:
    call = Call("POST", "/inference.GRPCInferenceService/ModelInfer", {b"content-type": b"application/grpc"})
    mirrored.mirror.finished(finished(call, protocol="grpc"))
    await until(lambda: not mirrored.mirror._tasks)
    assert canary.asked == []


async def test_what_the_mirror_answers_is_counted(canary: WebServer, mirrored: Mirrored) -> None:
    canary.status = 500
    mirrored.take(request())
    await until(lambda: mirrored.count("500") == 1)


async def test_a_mirror_with_too_much_to_do_is_not_compared(canary: WebServer, mirrored: Mirrored) -> None:
    for status in (503, 429, 500):
        canary.status = status
        mirrored.take(request())
        await until(lambda status=str(status): mirrored.count(status) == 1)  # type: ignore[misc]
    await until(lambda: not mirrored.mirror._tasks)
    assert mirrored.compared() == {"differs": 1}


async def test_too_many_at_once_are_dropped_and_counted(canary: WebServer, mirrored: Mirrored) -> None:
    canary.open.clear()
    mirrored.take(request(), times=mirror.MAX_REQUESTS + 10)
    assert mirrored.count("dropped") == 10
    canary.open.set()
    await until(lambda: mirrored.count("200") == mirror.MAX_REQUESTS)
    mirrored.take(request())
    await until(lambda: mirrored.count("200") == mirror.MAX_REQUESTS + 1)


async def test_too_many_bytes_at_once_are_dropped_and_counted(
    canary: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "MAX_BYTES", 1000)
    mirrored = Mirrored(canary.url)
    await mirrored.mirror.open()
    canary.open.clear()
    mirrored.take(request(body=b"x" * 400), times=3)
    assert mirrored.count("dropped") == 1
    canary.open.set()
    await until(lambda: mirrored.count("200") == 2)
    mirrored.take(request(body=b"x" * 400), times=2)
    await until(lambda: mirrored.count("200") == 4)
    await mirrored.mirror.close()


async def test_an_answer_that_is_too_large_is_dropped_and_counted(
    canary: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "MAX_BYTES", 100_000)
    mirrored = Mirrored(canary.url)
    await mirrored.mirror.open()
    canary.body = b"x" * 100_000
    mirrored.take(request())
    await until(lambda: mirrored.count("dropped") == 1)
    assert mirrored.compared() == {}
    canary.body = b'"' + b"x" * 99_000 + b'"'
    for number in range(1, 4):  # what was held is held no longer
        mirrored.take(request())
        await until(lambda number=number: mirrored.compared() == {"differs": number})  # type: ignore[misc]
    await mirrored.mirror.close()


async def test_the_users_answer_counts_as_well_while_it_is_held(
    canary: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "MAX_BYTES", 1000)
    mirrored = Mirrored(canary.url)
    await mirrored.mirror.open()
    mirrored.mirror.finished(finished(request(), answer=Response(200, b"x" * 999)))
    assert mirrored.count("dropped") == 1
    await mirrored.mirror.close()


@pytest.mark.parametrize("size", [10, 100_000])
async def test_answers_of_any_size_are_compared(canary: WebServer, mirrored: Mirrored, size: int) -> None:
    ours, canary.body = [json.dumps([0.5] * size + [last]).encode() for last in (0.25, 0.251)]
    mirrored.mirror.finished(finished(request(), answer=Response(200, ours)))
    await until(lambda: mirrored.compared() == {"agrees": 1})
    canary.body = json.dumps([0.5] * size + [0.5]).encode()
    mirrored.mirror.finished(finished(request(), answer=Response(200, ours)))
    await until(lambda: mirrored.compared() == {"agrees": 1, "differs": 1})


async def test_large_answers_are_not_compared_in_the_event_loop(
    canary: WebServer, mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, compared = [], Copy.compared

    def recorded(again: Copy, answer: Answer, tolerance: float) -> Comparison:
        threads.append(current_thread())
        return compared(again, answer, tolerance)

    monkeypatch.setattr(Copy, "compared", recorded)
    canary.body = json.dumps([0.5] * 10_000).encode()
    mirrored.mirror.finished(finished(request(), answer=Response(200, canary.body)))
    await until(lambda: mirrored.compared() == {"agrees": 1})
    assert len(threads) == 1
    assert threads != [current_thread()]


@pytest.mark.parametrize("error", [BadRequest("yours"), Error("ours")])
async def test_a_request_that_was_not_answered_well_is_not_mirrored(
    canary: WebServer, mirrored: Mirrored, error: Error
) -> None:
    mirrored.mirror.finished(finished(request(body=b"mistaken"), error=error))
    mirrored.take(request())
    await until(lambda: mirrored.count("200") == 1)
    assert [asked.body for asked in canary.asked] == [b"{}"]


async def test_a_mirror_that_does_not_answer_in_time_is_an_error(canary: WebServer) -> None:
    mirrored = Mirrored(canary.url, timeout_s=0.05)
    await mirrored.mirror.open()
    canary.open.clear()
    mirrored.take(request())
    await until(lambda: mirrored.count("error") == 1)
    await mirrored.mirror.close()


async def test_a_mirror_that_is_not_there_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    mirrored = Mirrored(f"http://127.0.0.1:{free_port()}")
    await mirrored.mirror.open()
    mirrored.take(request({"authorization": "Bearer hunter2"}), times=5)
    await until(lambda: mirrored.count("error") == 5)
    (warning,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "no answer from the mirror http://127.0.0.1" in warning.getMessage()
    assert "hunter2" not in caplog.text
    await mirrored.mirror.close()


async def test_closing_gives_up_what_is_on_its_way(canary: WebServer, mirrored: Mirrored) -> None:
    canary.open.clear()
    mirrored.take(request())
    await until(lambda: len(canary.asked) == 1)
    await mirrored.mirror.close()
    await until(lambda: not mirrored.mirror._tasks)
