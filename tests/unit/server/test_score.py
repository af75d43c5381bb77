"""`/score` takes data in the forms that people send, and answers row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from modelserver.errors import BadRequest, ModelFailed
from modelserver.http.message import Request
from modelserver.protocols import score
from tests.support import onnx_models

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx

    from modelserver.models.model import Model

    Loaded = Callable[[onnx.ModelProto], Model]


def ask(model: Model, body: object) -> Any:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    inference = score.parse(model, Request("POST", "/score", {}, raw))
    return orjson.loads(inference.answer(model.run(inference.feed, inference.outputs)).body)["results"]


@pytest.mark.parametrize(
    "data",
    [
        [[1, 2], [3, 4]],  # an array
        {"x": [[1, 2], [3, 4]]},  # columns
        [{"x": [1, 2]}, {"x": [3, 4]}],  # records
    ],
)
def test_one_output_gives_its_rows_whatever_the_form_of_the_data(loaded: Loaded, data: object) -> None:
    assert ask(loaded(onnx_models.double(["N", 2])), {"data": data}) == [[2, 4], [6, 8]]


def test_a_single_row_is_a_batch_of_one(loaded: Loaded) -> None:
    assert ask(loaded(onnx_models.double(["N", 2])), {"data": [1, 2]}) == [[2, 4]]


@pytest.mark.parametrize("data", [["a", "b"], [["a"], ["b"]], [{"x": "a"}, {"x": "b"}]])
@pytest.mark.parametrize(("shape", "results"), [(["N"], ["a", "b"]), (["N", 1], [["a"], ["b"]])])
def test_texts_may_come_as_a_list_or_as_a_column(
    loaded: Loaded, data: object, shape: onnx_models.Shape, results: object
) -> None:
    assert ask(loaded(onnx_models.identity("BYTES", shape)), {"data": data}) == results


def test_a_single_text_is_a_batch_of_one(loaded: Loaded) -> None:
    assert ask(loaded(onnx_models.identity("BYTES", ["N"])), {"data": "a"}) == ["a"]


def test_several_inputs_come_as_columns_or_records(loaded: Loaded) -> None:
    model = loaded(onnx_models.divide(["N"]))
    assert ask(model, {"data": {"a": [6, 8], "b": [2, 2]}}) == [3, 4]
    assert ask(model, {"data": [{"a": 6, "b": 2}, {"a": 8, "b": 2}]}) == [3, 4]


def test_several_outputs_give_one_object_per_row(loaded: Loaded) -> None:
    results = ask(loaded(onnx_models.two_outputs()), {"data": [[1, 2], [3, 4]]})
    assert results == [{"total": 3, "copy": [1, 2]}, {"total": 7, "copy": [3, 4]}]


def test_outputs_without_common_rows_give_one_object(loaded: Loaded) -> None:
    assert ask(loaded(onnx_models.rows_and_a_scalar()), {"data": [1, 2]}) == {"copy": [1, 2], "total": 3}


def test_maps_of_probabilities_are_objects(loaded: Loaded) -> None:
    results = ask(loaded(onnx_models.zip_map()), {"data": [[0.25, 0.75]]})
    assert results == [{"best": [0.25, 0.75], "scores": {"auto": 0.25, "home": 0.75}}]


def test_nan_and_infinity_are_null(loaded: Loaded) -> None:
    assert ask(loaded(onnx_models.divide(["N"])), {"data": {"a": [0, 1, 1], "b": [0, 0, 1]}}) == [None, None, 1]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"not json", "not valid JSON"),
        (b"", "not valid JSON"),
        ([1, 2], "must be a JSON object"),
        ({"values": []}, "no member 'data'"),
        ({"data": [["a", "b"]]}, "not a valid FP32"),
        ({"data": [[1, 2], [3]]}, "ragged"),
        ({"data": [[1, 2, 3]]}, "shape"),
        ({"data": None}, "shape"),
        ({"data": {"y": [1]}}, "no input 'y'"),
        ({"data": {}}, "lacks the input x"),
        ({"data": [{"x": [1, 2]}, {"y": 1}]}, "same members"),
        ({"data": [{"x": [1, 2]}, 3]}, "same members"),
    ],
)
def test_a_mistake_is_answered_with_what_is_wrong_and_what_the_model_takes(
    loaded: Loaded, body: object, sentence: str
) -> None:
    with pytest.raises(BadRequest, match=sentence) as refused:
        ask(loaded(onnx_models.double(["N", 2])), body)
    assert "The model 'm' takes x (FP32 [-1, 2])" in str(refused.value)


def test_several_inputs_without_names_are_refused(loaded: Loaded) -> None:
    with pytest.raises(BadRequest, match="must name them"):
        ask(loaded(onnx_models.divide(["N"])), {"data": [1, 2]})


def test_input_that_the_model_chokes_on_is_a_failure_of_the_model(loaded: Loaded) -> None:
    with pytest.raises(ModelFailed, match="'m' failed on this input"):
        ask(loaded(onnx_models.lookup(rows=3)), {"data": [3]})


@pytest.mark.parametrize(
    "graph",
    [
        onnx_models.double(["N", 2]),
        onnx_models.divide(["N"]),
        onnx_models.identity("BYTES", ["N", 1]),
        onnx_models.identity("BOOL", ["N"]),
        onnx_models.identity("FP32", []),
        onnx_models.two_outputs(),
    ],
)
def test_the_example_that_the_usage_shows_works(loaded: Loaded, graph: onnx.ModelProto) -> None:
    model = loaded(graph)
    usage = orjson.loads(orjson.dumps(score.usage(model), option=orjson.OPT_SERIALIZE_NUMPY))
    ask(model, usage["example"])
    assert usage["inputs"][0]["name"] in {"x", "a"}
