"""`/score` takes data in the forms that people send, and answers row by row."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserver.errors import BadRequest, Error, ModelFailed
from modelserver.http.message import Request
from modelserver.models.model import Model, load
from modelserver.protocols import score
from tests.support import onnx_models
from tests.support.onnx_models import saved

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx

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


@pytest.mark.parametrize("data", [[], {"x": []}, {"columns": ["x"], "data": []}])
def test_a_batch_of_none_is_answered_with_none(loaded: Loaded, data: object) -> None:
    assert ask(loaded(onnx_models.double(["N", 2])), {"data": data}) == []


def test_a_single_text_is_a_batch_of_one(loaded: Loaded) -> None:
    assert ask(loaded(onnx_models.identity("BYTES", ["N"])), {"data": "a"}) == ["a"]


def test_several_inputs_come_as_columns_or_records(loaded: Loaded) -> None:
    model = loaded(onnx_models.divide(["N"]))
    assert ask(model, {"data": {"a": [6, 8], "b": [2, 2]}}) == [3, 4]
    assert ask(model, {"data": [{"a": 6, "b": 2}, {"a": 8, "b": 2}]}) == [3, 4]


TABLE = {"columns": ["a", "b"], "data": [[6, 2], [8, 2]]}


@pytest.mark.parametrize(
    "body",
    [
        {"data": TABLE},
        {"data": TABLE | {"index": [0, 1]}},
        {"data": {"columns": ["b", "a"], "data": [[2, 6], [2, 8]]}},
        {"dataframe_split": TABLE},
        {"dataframe_records": [{"a": 6, "b": 2}, {"a": 8, "b": 2}]},
        {"instances": [{"a": 6, "b": 2}, {"a": 8, "b": 2}]},
        {"inputs": {"a": [6, 8], "b": [2, 2]}},
        {"input_data": TABLE},
        {"data": TABLE, "inputs": "ignored", "params": {}},
        {"data": None, "inputs": TABLE},
    ],
)
@pytest.mark.parametrize("padding", [[], [[0] * 3000]])
def test_a_table_is_taken_as_pandas_writes_it_and_as_others_call_it(
    loaded: Loaded, body: dict[str, object], padding: object
) -> None:
    assert ask(loaded(onnx_models.divide(["N"])), {"padding": padding} | body) == [3, 4]


@pytest.mark.parametrize("columns", [["a", "b"], [0, 1]])
def test_a_model_with_one_input_takes_the_columns_of_a_table_as_a_matrix(loaded: Loaded, columns: object) -> None:
    table = {"columns": columns, "data": [[1, 2], [3, 4]]}
    assert ask(loaded(onnx_models.double(["N", 2])), {"dataframe_split": table}) == [[2, 4], [6, 8]]


RECORDS = [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


@pytest.mark.parametrize("padding", [[], [[0] * 3000]])
@pytest.mark.parametrize(
    "data", [[[1, 2], [3, 4]], {"x": [[1, 2], [3, 4]]}, RECORDS, {"columns": ["a", "b"], "data": [[1, 2], [3, 4]]}]
)
def test_a_table_may_be_written_as_json_in_a_text(loaded: Loaded, data: object, padding: object) -> None:
    """As the clients of the old template do."""
    model = loaded(onnx_models.double(["N", 2]))
    assert ask(model, {"padding": padding, "data": orjson.dumps(data).decode()}) == [[2, 4], [6, 8]]


def test_a_model_with_one_input_takes_the_members_of_records_as_a_matrix(loaded: Loaded) -> None:
    assert ask(loaded(onnx_models.double(["N", 2])), {"data": RECORDS}) == [[2, 4], [6, 8]]


def test_a_text_stays_a_text_for_a_model_that_takes_texts(loaded: Loaded) -> None:
    assert ask(loaded(onnx_models.identity("BYTES", ["N"])), {"data": '["a"]'}) == ['["a"]']


def test_the_input_of_a_model_may_be_a_column_of_a_table(loaded: Loaded) -> None:
    model = loaded(onnx_models.identity("BYTES", ["N", 1]))
    assert ask(model, {"data": {"columns": ["x"], "data": [["a"], ["b"]]}}) == [["a"], ["b"]]
    with pytest.raises(BadRequest, match="no input 'y'"):
        ask(model, {"data": {"columns": ["x", "y"], "data": [["a", "b"]]}})


def test_columns_and_data_may_be_the_names_of_inputs(loaded: Loaded) -> None:
    graph = onnx_models.divide(["N"])
    graph.graph.node[0].input[:] = ["columns", "data"]
    graph.graph.input[0].name, graph.graph.input[1].name = "columns", "data"
    assert ask(loaded(graph), {"data": {"columns": [6, 8], "data": [2, 2]}}) == [3, 4]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"columns": ["a", "b"], "data": [[1]]}, "one value for each of its columns"),
        ({"columns": ["a", "b"], "data": [[1, 2], [1, 2, 3]]}, "one value for each of its columns"),
        ({"columns": ["a", "b"], "data": [1, 2]}, "one value for each of its columns"),
        ({"columns": ["a", "b"], "data": {}}, "one value for each of its columns"),
        ({"columns": ["a", "a"], "data": [[1, 2]]}, "no two of them the same"),
        ({"columns": "ab", "data": [[1, 2]]}, "must be a list of names"),
        ({"columns": [["a"], "b"], "data": [[1, 2]]}, "must be a list of names"),
        ({"columns": ["a"], "data": [[1]]}, "lacks the input b"),
        ({"columns": ["a", "c"], "data": [[1, 2]]}, "no input 'c'"),
    ],
)
@pytest.mark.parametrize("padding", [[], [[0] * 3000]])
def test_a_table_that_does_not_fit_is_refused(
    loaded: Loaded, table: object, sentence: str, padding: object
) -> None:
    with pytest.raises(BadRequest, match=sentence):
        ask(loaded(onnx_models.divide(["N"])), {"padding": padding, "data": table})


def test_the_body_may_name_the_model(loaded: Loaded) -> None:
    model = loaded(onnx_models.double(["N"]))
    assert ask(model, {"data": [1], "model_name": "m"}) == [2]
    assert ask(model, {"data": [1], "model_name": None}) == [2]
    for other in ("n", "", 7, [[1]]):
        with pytest.raises(BadRequest, match="the body names the model"):
            ask(model, {"data": [1], "model_name": other})


@pytest.mark.parametrize(
    ("body", "name"), [(b'{"model_name": "a"}', "a"), (b'{"data": 1}', None), (b'{"model_name": 7}', None)]
)
def test_the_model_that_a_body_names_is_found(body: bytes, name: str | None) -> None:
    assert score.model_name(Request("POST", "/score", {}, body)) == name


def test_a_large_body_is_answered_as_a_small_one(loaded: Loaded) -> None:
    rows = [[index, -index] for index in range(5000)]
    doubled = [[2 * value for value in row] for row in rows]
    model = loaded(onnx_models.double(["N", 2]))
    for data in (rows, {"x": rows}, {"columns": ["u", "v"], "data": rows}, [{"x": row} for row in rows]):
        assert ask(model, {"data": data}) == doubled


@pytest.mark.parametrize("name", ["INT64", "UINT64", "INT8", "UINT8"])
def test_integers_are_exact_however_long_the_body_is(loaded: Loaded, name: str) -> None:
    limits = np.iinfo(name.lower())
    model = loaded(onnx_models.identity(name, ["N"]))
    for count in (1, 1000):
        values = [int(limits.min), int(limits.max)] * count
        assert ask(model, {"data": values}) == values
        for beyond in (int(limits.min) - 1, int(limits.max) + 1):
            with pytest.raises(BadRequest, match=f"not a valid {name}"):
                ask(model, json.dumps({"data": [*values, beyond]}).encode())


def test_several_outputs_give_one_object_per_row(loaded: Loaded) -> None:
    results = ask(loaded(onnx_models.two_outputs()), {"data": [[1, 2], [3, 4]]})
    assert results == [{"total": 3, "copy": [1, 2]}, {"total": 7, "copy": [3, 4]}]


def test_outputs_without_common_rows_give_one_object(loaded: Loaded) -> None:
    assert ask(loaded(onnx_models.rows_and_a_scalar()), {"data": [1, 2]}) == {"copy": [1, 2], "total": 3}


def test_three_rows_beside_an_output_that_is_always_three_long_are_a_coincidence(loaded: Loaded) -> None:
    graph = onnx_models.two_outputs()
    graph.graph.output[1].type.tensor_type.shape.dim[0].dim_value = 3
    results = ask(loaded(graph), {"data": [[1, 2], [3, 4], [5, 6]]})
    assert results == {"total": [3, 7, 11], "copy": [[1, 2], [3, 4], [5, 6]]}


def test_a_sequence_is_a_list_of_tensors(loaded: Loaded) -> None:
    for name, rows in (
        ("FP32", [[1.5, 2], [3, 4]]),
        ("INT64", [[1, 2], [3, 4]]),
        ("BYTES", [["a", "b"], ["c", ""]]),
    ):
        assert ask(loaded(onnx_models.rows_as_sequence(name)), {"data": rows}) == [[row] for row in rows]


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
        ({"inputs": [1], "instances": [1]}, "no member 'data'"),
        ({"data": [["a", "b"]]}, "not a valid FP32"),
        ({"data": [[1, 2], [3]]}, "ragged"),
        ({"data": [[1, 2, 3]]}, "shape"),
        ({"data": None}, "no member 'data'"),
        ({"data": {"y": [1]}}, "no input 'y'"),
        ({"data": {}}, "lacks the input x"),
        ({"data": "a text"}, "no JSON either"),
        ({"data": "[" * 100_000 + "]" * 100_000}, "lists and objects|no JSON either"),
        ({"data": '"[1, 2]"'}, "not a valid FP32"),
        ({"data": '[{"a": 1, "b": 2}, {"a": 3}]'}, "same members"),
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


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Model]:
    graphs = [onnx_models.divide(["N"]), onnx_models.double(["N", 2]), onnx_models.identity("BYTES", ["N"])]
    folder = tmp_path_factory.mktemp("models")
    return [load("m", "1", saved(graph, folder / f"{number}.onnx")) for number, graph in enumerate(graphs)]


NAMES = st.sampled_from(
    ["a", "b", "x", "columns", "data", "index", "model_name", "inputs", "instances", "dataframe_split"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**64 - 1) | st.floats() | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(
    st.data(),
    st.dictionaries(NAMES, JSON, max_size=2),
    st.lists(st.integers(0, 3), max_size=1) | JSON,
    st.booleans(),
)
def test_any_body_is_an_inference_or_an_error_of_the_tree(
    models: list[Model], data: st.DataObject, members: dict[str, object], rows: object, large: bool
) -> None:
    padding = {"padding": [[0] * 3000]} if large else {}
    body = members | {"data": rows} | padding if data.draw(st.booleans()) else members | padding
    with suppress(Error):
        ask(data.draw(st.sampled_from(models)), body)
