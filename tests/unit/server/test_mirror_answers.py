"""What is compared of answers: what was said, whatever the protocol wraps around it."""

from __future__ import annotations

import gzip
import json
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelserver.grpc.message import Call, Reply
from modelserver.http.message import Request, Response
from modelserver.observers.answers import Answer
from modelserver.observers.copies import copy
from modelserver.protocols import oip
from tests.support import onnx_models
from tests.support.finished import finished, request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import onnx

    from modelserver.comparison import Comparison
    from modelserver.models.model import Model
    from modelserver.observers.finished import Finished

    Loaded = Callable[[onnx.ModelProto], Model]

OCTETS = {b"content-type": b"application/grpc"}


def compared(asked: Finished, answer: Answer, tolerance: float = 0.01) -> Comparison:
    again = copy(asked, with_credentials=False)
    assert again
    return again.compared(answer, tolerance)


def over_oip(body: Mapping[str, Any]) -> Finished:
    return finished(request(), answer=Response(200, json.dumps(body).encode()), protocol="v2")


def output(name: str = "y", data: Any = (1.0,), **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": "FP32", "shape": [len(data)], "data": list(data), **more}


def ok(body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(200, headers or {}, body)


def said(**more: Any) -> Answer:
    return ok(json.dumps(more).encode())


OURS = {"model_name": "m", "model_version": "1", "id": "7", "outputs": [output(), output("z", (2.0, 3.0))]}


def test_neither_version_nor_id_nor_the_order_of_outputs_is_what_a_model_says() -> None:
    theirs = [output("z", (2.0, 3.001)), output(parameters={"any": 1}), output("more")]
    assert compared(over_oip(OURS), said(model_version="2", parameters={}, outputs=theirs)).agrees


@pytest.mark.parametrize(
    ("theirs", "place"),
    [
        ([output("z", (2.0, 3.0))], "y"),
        ([output(), output("z", (2.0, 3.5))], "z.data[1]"),
        ([output(), output("z", (2.0, 3.0), shape=[2, 1])], "z.shape"),
        ([output(datatype="FP64"), output("z", (2.0, 3.0))], "y.datatype"),
        ([{"name": "y"}], ""),
        ("none", ""),
    ],
)
def test_each_output_has_to_be_there_with_its_shape_and_its_datatype(theirs: Any, place: str) -> None:
    found = compared(over_oip(OURS), said(outputs=theirs))
    assert not found.agrees
    assert found.place == place


BINARY = Request("POST", "/v2/models/m/infer", {}, b"{}")


def binary(model: Model, values: list[Any], forms: tuple[bool, ...]) -> Response:
    """The answer of the protocol itself."""
    wanted = [
        {"name": spec.name, "parameters": {"binary_data": form}}
        for spec, form in zip(model.signature.outputs, forms, strict=True)
    ]
    inputs = [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]
    body = json.dumps({"inputs": inputs, "outputs": wanted}).encode()
    return oip.parse(model, Request("POST", "/", {}, body)).answer(values)


@pytest.mark.parametrize("forms", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize(("theirs", "place"), [((0.001, 0.001), ""), ((0.5, 0), "total"), ((0, 0.5), "copy")])
def test_tensors_that_are_bytes_are_read(
    loaded: Loaded, forms: tuple[bool, ...], theirs: tuple[float, float], place: str
) -> None:
    model = loaded(onnx_models.two_outputs())
    total, rows = np.array([3], np.float32), np.array([[1, 2]], np.float32)
    ours = finished(BINARY, answer=binary(model, [total, rows], forms), protocol="v2")
    others = [total.copy(), rows.copy()]
    for array, more in zip(others, theirs, strict=True):
        array.flat[-1] += more
    response = binary(model, others, forms)
    headers = {name.lower(): value for name, value in response.headers}
    found = compared(ours, ok(b"".join((response.body, *response.tail)), headers))
    assert found.place.partition(".")[0] == place
    assert found.agrees == (not place)


@pytest.mark.parametrize("values", [np.array([[1.5, 2.5]], np.float32), np.array([["é", "ö"]], object)])
def test_what_came_as_a_call_is_compared_with_its_binary_answer(loaded: Loaded, values: Any) -> None:
    datatype = "BYTES" if values.dtype.kind == "O" else "FP32"
    model = loaded(onnx_models.identity(datatype, ["N", 2]))
    batch = np.concatenate([values, values[:, ::-1]])
    asked = finished(
        Call("POST", "/any", OCTETS),
        model,
        feed={"x": values},
        outputs=["y"],
        values=[batch[:1]],
        answer=Reply([b"message"]),
        protocol="grpc",
    )
    again = copy(asked, with_credentials=False)
    assert again
    for row, agrees in ((batch[:1], True), (batch[1:], False)):
        response = oip.parse(model, _replayed(again.replay.headers, again.replay.body)).answer([row])
        headers = {name.lower(): value for name, value in response.headers}
        answer = ok(b"".join((response.body, *response.tail)), headers)
        assert again.compared(answer, 0.01).agrees == agrees


def _replayed(headers: Mapping[str, str], body: bytes | memoryview) -> Request:
    return Request("POST", "/", {name.encode(): value.encode() for name, value in headers.items()}, body)


def test_what_is_held_of_a_call_is_not_what_ran_with_it(loaded: Loaded) -> None:
    batch = np.zeros((1000, 2), np.float32)
    asked = finished(
        Call("POST", "/any", OCTETS),
        loaded(onnx_models.identity("FP32", ["N", 2])),
        feed={"x": batch[:1]},
        outputs=["y"],
        values=[batch[:1]],
        answer=Reply([b"message"]),
        protocol="grpc",
    )
    again = copy(asked, with_credentials=False)
    assert again
    batch[:] = 7
    assert again.told() == {"y": {"datatype": "FP32", "shape": [1, 2], "data": pytest.approx(np.zeros((1, 2)))}}


def handled(body: bytes, **headers: str) -> Finished:
    named = tuple((name.replace("_", "-").title(), value) for name, value in headers.items())
    return finished(request(), answer=Response(200, body, headers=named))


@pytest.mark.parametrize(
    ("ours", "theirs", "agrees"),
    [
        (b'{"a": [1.0, NaN]}', b'{"a": [1.001, NaN]}', True),
        (b'{"a": [1.0, NaN]}', b'{"a": [1.001, 1.0]}', False),
        (b'"text"', b' "text"', True),
        (b"plain", b"plain", True),
        (b"plain", b"Plain", False),
        (b"\xff\xfe", b"\xff\xfe", True),
        (b"1.0", b"one", False),
        (b"", b"", True),
    ],
)
def test_handlers_say_json_or_bytes(ours: bytes, theirs: bytes, agrees: bool) -> None:
    assert compared(handled(ours), ok(theirs)).agrees == agrees


def test_what_a_handler_has_compressed_is_compared_as_it_was() -> None:
    ours, theirs = (gzip.compress(b'{"p": 0.5}', mtime=moment) for moment in (1, 2))
    assert compared(handled(ours, content_encoding="gzip"), ok(theirs, {"content-encoding": "gzip"})).agrees
    broken = ok(theirs[:9], {"content-encoding": "gzip"})
    assert not compared(handled(ours, content_encoding="gzip"), broken).agrees


@pytest.mark.parametrize("status", [201, 302, 404, 500, 503])
def test_another_status_disagrees_whatever_is_said(status: int) -> None:
    found = compared(handled(b"1"), Answer(status, {}, b"1"))
    assert (found.place, found.difference) == ("status", inf)


def test_answers_that_are_nested_deeper_than_python_goes_disagree() -> None:
    deep = b"[" * 900 + b"1" + b"]" * 900
    assert not compared(handled(deep), ok(deep.replace(b"1", b"2"))).agrees
    deeper = b"[" * 100_000
    assert not compared(handled(b"1"), ok(deeper)).agrees
    assert compared(handled(deeper), ok(deeper)).agrees
