"""The sampled log of requests and their answers."""

from __future__ import annotations

import json
import logging
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, Counter

from modelserver.errors import BadRequest, ModelFailed
from modelserver.http.message import Response
from modelserver.live.settings import RequestLogSettings
from modelserver.observers.entry import entry
from modelserver.observers.request_log import LogWriter, RequestLog
from modelserver.observers.sinks import FileSink, SinkFails
from tests.support import onnx_models
from tests.support.finished import finished, request
from tests.support.until import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import onnx

    from modelserver.models.model import Model
    from modelserver.observers.finished import Finished
    from modelserver.observers.sinks import Sink

    Loaded = Callable[[onnx.ModelProto], Model]

PLENTY = 10_000


def logged(past: Finished, limit: int = PLENTY) -> dict[str, Any]:
    """What the line about `past` says."""
    line = entry(past, limit).line()
    assert line.endswith(b"\n")
    found: dict[str, Any] = json.loads(line)
    return found


def tensor(value: object, limit: int = PLENTY) -> dict[str, Any]:
    """An output of this value, as it is logged."""
    (found,) = logged(finished(feed={}, outputs=["y"], values=[value]), limit)["outputs"]
    assert found.pop("name") == "y"
    return dict(found)


# What a line says


def test_a_line_tells_what_came_and_what_became_of_it(loaded: Loaded) -> None:
    model = loaded(onnx_models.double(["N", 2]))
    asked = request({"x-request-id": "seven", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})
    x = np.array([[1, 2]], np.float32)
    line = logged(finished(asked, model, feed={"x": x}, outputs=["y"], values=[x * 2], seconds=0.125))
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "request_id": "seven",
        "trace_id": "a" * 32,
        "protocol": "score",
        "status": 200,
        "seconds": 0.125,
        "model": "m",
        "version": "1",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [2, 4]}],
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.array([[1], [2]], np.int64), {"datatype": "INT64", "shape": [2, 1], "data": [1, 2]}),
        (np.array([1, 2], "longlong"), {"datatype": "INT64", "shape": [2], "data": [1, 2]}),
        (np.array([True, False]), {"datatype": "BOOL", "shape": [2], "data": [True, False]}),
        (np.array([1.5], np.float16), {"datatype": "FP16", "shape": [1], "data": [1.5]}),
        (np.array(3.25), {"datatype": "FP64", "shape": [], "data": [3.25]}),
        (np.zeros((0, 4), np.uint8), {"datatype": "UINT8", "shape": [0, 4], "data": []}),
        (np.array([np.nan, np.inf, 1]), {"datatype": "FP64", "shape": [3], "data": [None, None, 1]}),
        (np.array([["a"], ["bé"]], object), {"datatype": "BYTES", "shape": [2, 1], "data": ["a", "bé"]}),
        (np.arange(6).reshape(2, 3).T, {"datatype": "INT64", "shape": [3, 2], "data": [0, 3, 1, 4, 2, 5]}),
        ([{0: 0.25, 1: 0.75}], {"data": [{"0": 0.25, "1": 0.75}]}),
        ([np.array([1, 2], "longlong")], {"data": [[1, 2]]}),
    ],
)
def test_values_of_every_kind(value: object, expected: dict[str, object]) -> None:
    assert tensor(value) == expected


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int8", "bool", "float16"])
def test_a_large_tensor_is_cut_and_says_so(dtype: str) -> None:
    large = np.full((1000, 10), np.array(-1.1).astype(dtype))
    found = tensor(large, limit=1000)
    assert found["truncated"] is True
    assert found["shape"] == [1000, 10]
    assert 0 < len(json.dumps(found["data"], separators=(",", ":"))) <= 1000


def test_texts_are_cut_between_texts() -> None:
    found = tensor(np.array(["a" * 10, "b" * 10, "c" * 10], object), limit=30)
    assert (found["data"], found["truncated"]) == (["a" * 10, "b" * 10], True)


def test_a_text_that_is_too_long_is_left_out() -> None:
    found = tensor(np.array(["a" * 100], object), limit=30)
    assert (found["data"], found["truncated"]) == ([], True)


def test_a_sequence_is_cut() -> None:
    found = tensor([{0: 0.5, 1: 0.5}] * 1000, limit=6400)
    assert (len(found["data"]), found["truncated"]) == (100, True)


def test_all_inputs_together_stay_within_the_limit() -> None:
    feed = {name: np.zeros(100, np.float64) for name in ("a", "b", "c")}
    inputs = logged(finished(feed=feed), limit=25 * 150)["inputs"]
    assert [len(found["data"]) for found in inputs] == [100, 50, 0]
    assert [found.get("truncated", False) for found in inputs] == [False, True, True]


def test_what_waits_holds_neither_the_batch_nor_the_body() -> None:
    batch = np.zeros((1000, 1000), np.float32)
    kept = entry(finished(feed={"x": batch[:1]}, outputs=["y"], values=[batch[1:2]]), PLENTY)
    for member in (*kept.facts["inputs"], *kept.facts["outputs"]):
        assert member["data"].base is None or member["data"].base.nbytes <= PLENTY
    assert kept.size < 3 * PLENTY


def test_a_request_that_was_not_understood_is_logged_as_it_came() -> None:
    line = logged(finished(request(body=b'{"dat'), error=BadRequest("the body is not valid JSON")))
    assert (line["status"], line["error"]) == (400, "the body is not valid JSON")
    assert line["request"] == {"body": '{"dat'}
    assert "response" not in line


def test_a_model_that_failed_is_logged_with_its_input() -> None:
    line = logged(finished(feed={"x": np.array([1])}, error=ModelFailed("no")))
    assert (line["status"], line["error"], line["inputs"][0]["data"]) == (500, "no", [1])
    assert "outputs" not in line


def test_of_a_handler_both_bodies_are_logged() -> None:
    line = logged(finished(request(body=b"what?"), answer=Response(200, b"that"), protocol="handler"))
    assert (line["request"], line["response"]) == ({"body": "what?"}, {"body": "that"})


def test_bodies_are_cut_too() -> None:
    line = logged(finished(request(body=b"\xc3\xa9" * 100)), limit=3)
    assert line["request"] == {"body": "é\ufffd", "truncated": True}


def test_headers_are_never_logged() -> None:
    line = entry(finished(request({"authorization": "Bearer hunter2", "cookie": "hunter2"})), PLENTY).line()
    assert b"hunter2" not in line


# Which requests, and where to


class Gate:
    """A sink that fails, or keeps its writer waiting, as long as it is told to."""

    gather_s = 0.0
    gather_bytes = 1

    def __init__(self) -> None:
        self.open = Event()
        self.open.set()
        self.fails = False
        self.written: list[bytes] = []

    def write(self, lines: bytes) -> None:
        self.open.wait()
        if self.fails:
            raise SinkFails("the disk is full")
        self.written.append(lines)


class Log:
    """A request log into a sink, and its counters."""

    def __init__(self, sink: Sink, percent: float = 100) -> None:
        self.registry = CollectorRegistry()
        self.writer = LogWriter(sink, Counter("lines", "Lines.", ["outcome"], registry=self.registry))
        self.log = RequestLog(self.writer, RequestLogSettings("", percent))

    def take(self, count: int) -> None:
        past = finished(feed={"x": np.zeros(8)})
        for _ in range(count):
            self.log.finished(past)

    def count(self, outcome: str) -> float:
        return self.registry.get_sample_value("lines_total", {"outcome": outcome}) or 0


async def test_a_share_of_the_requests_is_logged() -> None:
    sink = Gate()
    log = Log(sink, percent=10)
    log.take(900)
    await log.writer.close(5)
    assert log.count("written") == len(sink.written) == pytest.approx(90, abs=45)


async def test_closing_writes_what_waits() -> None:
    sink = Gate()
    sink.gather_s, sink.gather_bytes = 60.0, 1_000_000
    log = Log(sink)
    log.take(3)
    await log.writer.close(5)
    assert [lines.count(b"\n") for lines in sink.written] == [3]


async def test_what_does_not_fit_into_the_queue_is_dropped_and_counted() -> None:
    sink = Gate()
    sink.open.clear()
    log = Log(sink)
    log.take(1500)
    assert log.count("dropped") >= 499
    sink.open.set()
    await log.writer.close(5)
    assert log.count("dropped") + log.count("written") == 1500


async def test_a_sink_that_hangs_does_not_hold_up_the_end() -> None:
    sink = Gate()
    sink.open.clear()
    log = Log(sink)
    log.take(2)
    await log.writer.close(0.05)
    assert sink.written == []
    sink.open.set()


async def test_a_failure_is_told_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    sink = Gate()
    log = Log(sink)
    sink.fails = True
    log.take(3)
    await until(lambda: log.count("dropped") == 3)
    sink.fails = False
    log.take(2)
    await log.writer.close(5)
    assert log.count("written") == 2
    assert caplog.messages == [
        "the request log is incomplete: the disk is full",
        "the request log is written again",
    ]


# Files


def test_a_file_grows_and_is_rotated(tmp_path: Path) -> None:
    path = tmp_path / "new" / "requests.jsonl"
    sink = FileSink(path, max_bytes=10, kept=2)
    for line in (b"one\n", b"two\n", b"three\n", b"four\n", b"five\n", b"six-six-six-six\n"):
        sink.write(line)
    found = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    assert found == {
        "requests.jsonl": b"six-six-six-six\n",
        "requests.jsonl.1": b"four\nfive\n",
        "requests.jsonl.2": b"three\n",
    }


def test_what_clients_sent_is_not_for_everybody(tmp_path: Path) -> None:
    FileSink(tmp_path / "requests.jsonl").write(b"{}\n")
    assert (tmp_path / "requests.jsonl").stat().st_mode & 0o007 == 0


def test_a_file_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkFails, match=r"file/requests.jsonl cannot be written: File exists"):
        FileSink(tmp_path / "file" / "requests.jsonl").write(b"{}\n")
