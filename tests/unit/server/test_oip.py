"""Inference in the words of the Open Inference Protocol, version 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from modelserver.errors import BadRequest, Unsupported
from modelserver.http.message import Request
from modelserver.models.datatypes import DATATYPES, Datatype
from modelserver.protocols import oip
from tests.support import onnx_models

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx

    from modelserver.models.model import Model

    Loaded = Callable[[onnx.ModelProto], Model]


def ask(model: Model, body: object, headers: dict[bytes, bytes] | None = None) -> Any:
    request = Request("POST", "/v2/models/m/infer", headers or {}, orjson.dumps(body))
    inference = oip.parse(model, request)
    return orjson.loads(inference.answer(model.run(inference.feed, inference.outputs)).body)


def tensor(
    data: object = (1, 2), shape: object = (1, 2), datatype: object = "FP32", name: str = "x"
) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


@pytest.mark.parametrize("data", [[1, 2, 3, 4], [[1, 2], [3, 4]]])
def test_nested_and_flat_data_give_the_same_flat_answer(loaded: Loaded, data: object) -> None:
    answer = ask(loaded(onnx_models.double(["N", 2])), {"id": "7", "inputs": [tensor(data, [2, 2])]})
    assert answer == {
        "model_name": "m",
        "model_version": "1",
        "id": "7",
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [2, 2], "data": [2, 4, 6, 8]}],
    }


@pytest.mark.parametrize("datatype", DATATYPES, ids=lambda datatype: datatype.name)
def test_every_datatype_goes_in_and_comes_out(loaded: Loaded, datatype: Datatype) -> None:
    values = {"BOOL": [True, False], "BYTES": ["ä", ""]}.get(datatype.name, [0, 1])
    answer = ask(
        loaded(onnx_models.identity(datatype.name, ["N"])), {"inputs": [tensor(values, [2], datatype.name)]}
    )
    assert answer["outputs"] == [{"name": "y", "datatype": datatype.name, "shape": [2], "data": values}]


def test_there_is_no_id_in_the_answer_when_none_was_sent(loaded: Loaded) -> None:
    assert "id" not in ask(loaded(onnx_models.double(["N", 2])), {"inputs": [tensor()]})


def test_only_the_outputs_asked_for_are_answered_in_that_order(loaded: Loaded) -> None:
    model = loaded(onnx_models.two_outputs())
    outputs = ask(model, {"inputs": [tensor()], "outputs": [{"name": "copy"}, {"name": "total"}]})["outputs"]
    assert [output["name"] for output in outputs] == ["copy", "total"]
    outputs = ask(model, {"inputs": [tensor()], "outputs": [{"name": "copy"}]})["outputs"]
    assert outputs == [{"name": "copy", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]


def test_an_output_without_a_datatype_is_left_to_score(loaded: Loaded) -> None:
    model = loaded(onnx_models.zip_map())
    with pytest.raises(Unsupported, match="'scores' is not a tensor"):
        ask(model, {"inputs": [tensor()], "outputs": [{"name": "scores"}]})
    assert [output["name"] for output in ask(model, {"inputs": [tensor()]})["outputs"]] == ["best"]
    assert [output["name"] for output in _outputs(oip.metadata(model, ["1"]))] == ["best"]


def test_a_scalar_output_has_an_empty_shape_and_one_value(loaded: Loaded) -> None:
    answer = ask(loaded(onnx_models.rows_and_a_scalar()), {"inputs": [tensor([1, 2], [2])]})
    assert answer["outputs"][1] == {"name": "total", "datatype": "FP32", "shape": [], "data": [3]}


def test_a_batch_of_none_is_answered_with_none(loaded: Loaded) -> None:
    model = loaded(onnx_models.double([None, None, None]))
    for shape, data in (([0, 2, 1], []), ([2, 0, 1], [[], []]), ([1, 2, 0], [[[], []]])):
        forms: tuple[list[Any], ...] = ([], data)
        for form in forms:
            answer = ask(model, {"inputs": [tensor(form, shape)]})
            assert answer["outputs"] == [{"name": "y", "datatype": "FP32", "shape": shape, "data": []}]
    with pytest.raises(BadRequest, match=r"\[2, 0\], but \[1, 2, 0\] was declared"):
        ask(model, {"inputs": [tensor([[], []], [1, 2, 0])]})


def test_metadata_says_what_the_model_takes_and_gives(loaded: Loaded) -> None:
    assert oip.metadata(loaded(onnx_models.double(["N", 2])), ["1", "2"]) == {
        "name": "m",
        "versions": ["1", "2"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 2]}],
    }


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "'inputs' must be a list of objects"),
        ({"inputs": {}}, "'inputs' must be a list of objects"),
        ({"inputs": [1]}, "'inputs' must be a list of objects"),
        ({"inputs": [{}]}, "'inputs' must be a list of objects"),
        ({"inputs": []}, "lacks the input x"),
        ({"inputs": [tensor(), tensor()]}, "same tensor twice"),
        ({"inputs": [tensor(), tensor(name="z")]}, "no input 'z'"),
        ({"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32"}]}, "either 'data' or the parameter"),
        ({"inputs": [tensor(data=None)]}, "either 'data' or the parameter"),
        ({"inputs": [tensor() | {"parameters": []}]}, "'parameters' must be an object"),
        ({"inputs": [tensor()], "parameters": "a"}, "'parameters' must be an object"),
        ({"inputs": [tensor()], "parameters": {"binary_data_output": 1}}, "must be true or false"),
        ({"inputs": [tensor()], "outputs": [{"name": "y", "parameters": {"binary_data": 1}}]}, "must be true or"),
        ({"inputs": [tensor()], "outputs": [{"name": "y"}, {"name": "y"}]}, "same tensor twice"),
        ({"inputs": [tensor()], "outputs": "y"}, "'outputs' must be a list of objects"),
        ({"inputs": [tensor(datatype="FP64")]}, "takes: FP32"),
        ({"inputs": [tensor(datatype="STRING")]}, "no datatype of the protocol"),
        ({"inputs": [tensor(datatype=None)]}, "takes: FP32"),
        ({"inputs": [tensor(shape=None)]}, "'shape'"),
        ({"inputs": [tensor(shape=[-1, 2])]}, "none below 0"),
        ({"inputs": [tensor(shape=[True, 2])]}, "list of sizes"),
        ({"inputs": [tensor(shape=[1.0, 2])]}, "list of sizes"),
        ({"inputs": [tensor(shape=[2, 2])]}, "was declared"),
        ({"inputs": [tensor(shape=[2**62, 2])]}, "was declared"),
        ({"inputs": [tensor(shape=[2**62, 2**62])]}, "got the shape"),
        ({"inputs": [tensor(shape=[2])]}, "got the shape"),
        ({"inputs": [tensor(data=[[1], [2]])]}, "was declared"),
        ({"inputs": [tensor(data=["a", "b"])]}, "not a valid FP32"),
        ({"inputs": [tensor()], "outputs": [{"name": "z"}]}, "no output 'z'; its outputs are y"),
        ({"inputs": [tensor()], "id": 7}, "'id' must be a string"),
    ],
)
def test_a_mistake_is_answered_with_what_is_wrong(loaded: Loaded, body: object, sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence):
        ask(loaded(onnx_models.double(["N", 2])), body)


@pytest.mark.parametrize(
    ("where", "parameters"),
    [
        ("output", {"classification": 3}),
        ("output", {"shared_memory_region": "a"}),
        ("input", {"shared_memory_region": "a"}),
    ],
)
def test_parameters_that_would_change_the_meaning_are_refused_as_not_supported(
    loaded: Loaded, where: str, parameters: dict[str, object]
) -> None:
    body: dict[str, list[dict[str, Any]]] = {"inputs": [tensor()], "outputs": [{"name": "y"}]}
    body[f"{where}s"][0]["parameters"] = parameters
    with pytest.raises(Unsupported, match=f"the {where} '[xy]' cannot"):
        ask(loaded(onnx_models.double(["N", 2])), body)


def test_parameters_that_mean_nothing_here_are_ignored(loaded: Loaded) -> None:
    parameters = {
        "priority": 1,
        "timeout": 10,
        "sequence_id": 7,
        "text": "x",
        "flag": True,
        "list": [1],
        "none": None,
    }
    body = {
        "inputs": [tensor() | {"parameters": parameters, "extra": 1}],
        "outputs": [{"name": "y", "parameters": parameters}],
        "parameters": parameters | {"binary_data_output": False},
        "extra": {},
    }
    assert ask(loaded(onnx_models.double(["N", 2])), body)["outputs"][0]["data"] == [2, 4]


def test_no_list_of_outputs_or_an_empty_one_asks_for_all(loaded: Loaded) -> None:
    model = loaded(onnx_models.two_outputs())
    members: list[dict[str, object]] = [{}, {"outputs": []}, {"outputs": None, "id": None, "parameters": None}]
    for more in members:
        answer = ask(model, {"inputs": [tensor() | {"parameters": None}]} | more)
        assert [output["name"] for output in answer["outputs"]] == ["total", "copy"]
        assert "id" not in answer


def test_requests_for_all_outputs_can_share_a_run(loaded: Loaded) -> None:
    model = loaded(onnx_models.two_outputs())
    body = {"inputs": [tensor()], "outputs": [{"name": "total"}, {"name": "copy"}]}
    named = oip.parse(model, Request("POST", "/", {}, orjson.dumps(body)))
    unnamed = oip.parse(model, Request("POST", "/", {}, orjson.dumps({"inputs": [tensor()]})))
    assert named.outputs == unnamed.outputs == model.signature.all_outputs


def test_a_whole_float_is_an_integer_for_clients_that_know_only_floats(loaded: Loaded) -> None:
    model = loaded(onnx_models.identity("INT64", ["N"]))
    assert ask(model, {"inputs": [tensor([7.0], [1], "INT64")]})["outputs"][0]["data"] == [7]
    with pytest.raises(BadRequest, match="not a valid INT64"):
        ask(model, {"inputs": [tensor([7.5], [1], "INT64")]})


def test_a_large_body_is_answered_as_a_small_one(loaded: Loaded) -> None:
    rows = [[index, -index] for index in range(5000)]
    for data in (rows, [value for row in rows for value in row]):
        body = {"inputs": [tensor(data, [5000, 2])], "id": "7"}
        answer = ask(loaded(onnx_models.double(["N", 2])), body)
        assert answer["outputs"][0]["shape"] == [5000, 2]
        assert answer["outputs"][0]["data"] == [2 * value for row in rows for value in row]
        assert answer["id"] == "7"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"inputs": [[1, 2]]}, "'inputs' must be a list of objects"),
        ({"outputs": [[0]]}, "'outputs' must be a list of objects"),
        ({"outputs": {}}, "'outputs' must be a list of objects"),
        ({"id": [[1]]}, "'id' must be a string"),
        ({"parameters": [[1]]}, "'parameters' must be an object"),
        ({"parameters": {"binary_data_output": [[1]]}}, "must be true or false"),
        ({"inputs": [tensor(datatype=[[1], [2]])]}, "is no datatype"),
        ({"inputs": [tensor(shape=[[1, 2]])]}, "list of sizes"),
        ({"inputs": [tensor(shape=[1] * 100)]}, "got the shape"),
        ({"inputs": [tensor() | {"name": [[1]]}]}, "each with a 'name'"),
        ({"inputs": [tensor(data=[[1, 2], [3]])]}, "ragged"),
    ],
)
def test_a_mistake_in_a_large_body_is_answered_as_in_a_small_one(
    loaded: Loaded, change: dict[str, object], sentence: str
) -> None:
    model = loaded(onnx_models.double(["N", 2]))
    for padding in ([], [[0] * 10_000]):
        with pytest.raises(BadRequest, match=sentence):
            ask(model, {"padding": padding, "inputs": [tensor()]} | change)


def _outputs(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = metadata["outputs"]
    return outputs
