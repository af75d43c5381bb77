"""What a handler may give to a model, and what it is told of what it may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from modelserver.errors import BadRequest, Unavailable
from modelserver.handlers import calls, values
from modelserver.handlers.frames import Frame
from tests.support import onnx_models

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx

    from modelserver.models.model import Model

    Loaded = Callable[[onnx.ModelProto], Model]


def asked(feed: dict[str, Any], outputs: list[str] | None = None) -> Frame:
    buffers: list[Any] = []
    return Frame(
        {
            "inputs": {name: values.described(np.asarray(v), buffers) for name, v in feed.items()},
            "outputs": outputs,
        },
        buffers,
    )


def answered(model: Model, request: Frame) -> dict[str, Any]:
    inference = calls.parse(model, request)
    answer = inference.answer(model.run(inference.feed, inference.outputs))
    buffers = iter(answer.buffers)
    return {name: values.restored(value, buffers) for name, value in answer.head["outputs"].items()}


def test_outputs_come_by_name_in_their_own_type(loaded: Loaded) -> None:
    found = answered(loaded(onnx_models.two_outputs()), asked({"x": np.array([[1, 2]], np.float32)}))
    assert {name: value.tolist() for name, value in found.items()} == {"total": [3], "copy": [[1, 2]]}
    assert found["total"].dtype == np.float32


def test_only_those_that_are_asked_for_come(loaded: Loaded) -> None:
    found = answered(loaded(onnx_models.two_outputs()), asked({"x": np.ones((1, 2), np.float32)}, ["copy"]))
    assert list(found) == ["copy"]


def test_maps_come_as_the_model_gives_them(loaded: Loaded) -> None:
    found = answered(loaded(onnx_models.zip_map()), asked({"x": np.array([[0.25, 0.75]], np.float32)}, ["scores"]))
    assert found == {"scores": [{"auto": 0.25, "home": 0.75}]}


@pytest.mark.parametrize(
    ("datatype", "array"),
    [
        ("FP32", np.array([1.5])),
        ("FP16", np.array([1.5])),
        ("FP32", np.array([7], np.int64)),
        ("FP64", np.array([7], np.float32)),
        ("INT8", np.array([-128, 127])),
        ("UINT8", np.array([True])),
        ("BYTES", np.array(["text"])),
    ],
)
def test_arrays_are_made_to_fit_where_that_changes_no_number(loaded: Loaded, datatype: str, array: Any) -> None:
    found = answered(loaded(onnx_models.identity(datatype, ["N"])), asked({"x": array}))
    assert found["y"].tolist() == array.tolist()


@pytest.mark.parametrize(
    ("datatype", "array", "complaint"),
    [
        ("INT64", np.array([1.5]), "cannot be made of these float64"),
        ("INT8", np.array([128]), "a number that it cannot hold"),
        ("UINT8", np.array([-1]), "cannot be made of these int64"),
        ("FP32", np.array([1e300]), "cannot be made of these float64: overflow"),
        ("FP32", np.array(["1"]), "cannot be made of these object"),
        ("BYTES", np.array([1]), "cannot be made of these int64"),
    ],
)
def test_an_array_that_would_change_is_refused(loaded: Loaded, datatype: str, array: Any, complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint):
        calls.parse(loaded(onnx_models.identity(datatype, ["N"])), asked({"x": array}))


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (asked({"z": [1.0]}), "no input 'z'"),
        (asked({}), "lacks the input"),
        (asked({"x": [[1.0]]}), r"got the shape \[1, 1\]"),
        (asked({"x": [1.0]}, ["z"]), "no output 'z'"),
        (Frame({"inputs": {"x": {"numbers": "<f4", "shape": [1]}}}), "cannot be read"),
        (Frame({}), "cannot be read"),
    ],
)
def test_what_does_not_suit_the_model_is_refused(loaded: Loaded, request_: Frame, complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint):
        calls.parse(loaded(onnx_models.double(["N"])), request_)


def test_a_refusal_says_of_which_kind_it_is() -> None:
    assert calls.refusal(Unavailable("later")).head == {"error": {"kind": "Unavailable", "message": "later"}}
