"""The binary tensor extension: bytes behind the JSON part, in requests and in answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelserver.errors import BadRequest, Error
from modelserver.http.message import Request, Response
from modelserver.models.datatypes import BY_NAME, DATATYPES, Array, Datatype
from modelserver.models.model import Model, load
from modelserver.protocols import oip
from modelserver.protocols.binary import raw_of, tensor_of
from tests.support import onnx_models

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx

    Loaded = Callable[[onnx.ModelProto], Model]

FLOATS = np.array([[1.5, -2]], np.float32)


def binary(name: str, array: Array, datatype: str = "FP32") -> tuple[dict[str, Any], bytes]:
    raw = bytes(raw_of(array))
    parameters = {"binary_data_size": len(raw)}
    return {"name": name, "shape": array.shape, "datatype": datatype, "parameters": parameters}, raw


def plain(name: str, array: Array, datatype: str = "FP32") -> tuple[dict[str, Any], bytes]:
    return {"name": name, "shape": array.shape, "datatype": datatype, "data": array.ravel().tolist()}, b""


def request(*inputs: tuple[dict[str, Any], bytes], length: bytes | None = None, **members: object) -> Request:
    """A request with these inputs; `length` is a lie about the length of its JSON part."""
    head = orjson.dumps({"inputs": [tensor for tensor, _ in inputs], **members})
    headers = {b"inference-header-content-length": str(len(head)).encode() if length is None else length}
    return Request("POST", "/v2/models/m/infer", headers, head + b"".join(raw for _, raw in inputs))


def ask(model: Model, asked: Request) -> Response:
    inference = oip.parse(model, asked)
    return inference.answer(model.run(inference.feed, inference.outputs))


def outputs(response: Response) -> dict[str, Any]:
    """The outputs by name, whichever way they came."""
    found: dict[str, Any] = {}
    tail = b"".join(response.tail)
    for output in orjson.loads(response.body)["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            found[output["name"]] = output["data"]
        else:
            found[output["name"]] = tensor_of(tail[:size], BY_NAME[output["datatype"]], tuple(output["shape"]))
            tail = tail[size:]
    assert tail == b""
    return found


@pytest.mark.parametrize("datatype", DATATYPES, ids=lambda datatype: datatype.name)
@pytest.mark.parametrize("shape", [(2,), (0,), (1, 1, 2)])
def test_every_datatype_goes_in_and_comes_out(loaded: Loaded, datatype: Datatype, shape: tuple[int, ...]) -> None:
    array = np.resize(np.array(["ä", "a\0b"] if datatype.is_text else [0, 1], datatype.dtype), shape)
    model = loaded(onnx_models.identity(datatype.name, ["N"] * len(shape)))
    asked = request(binary("x", array, datatype.name), parameters={"binary_data_output": True})
    answer = ask(model, asked)
    found = outputs(answer)["y"]
    assert (found.dtype, found.shape, found.tolist()) == (array.dtype, array.shape, array.tolist())
    assert answer.content_type == "application/octet-stream"
    assert answer.headers == (("Inference-Header-Content-Length", str(len(answer.body))),)
    assert len(answer) == len(answer.body) + len(raw_of(array))


def test_a_large_tensor_is_neither_copied_when_it_comes_nor_when_it_goes(loaded: Loaded) -> None:
    array = np.zeros((1000, 2), np.float32)
    asks = [request(binary("x", array), parameters={"binary_data_output": True}, id="." * n) for n in range(4)]
    asked = next(asked for asked in asks if len(asked.body) % 4 == 0)  # numbers that lie askew are copied
    model = loaded(onnx_models.double(["N", 2]))
    inference = oip.parse(model, asked)
    assert np.shares_memory(inference.feed["x"], np.frombuffer(asked.body, np.uint8))
    values = model.run(inference.feed, inference.outputs)
    (sent,) = inference.answer(values).tail
    assert np.shares_memory(np.frombuffer(sent, np.uint8), values[0])


@pytest.mark.parametrize("first", [binary, plain])
@pytest.mark.parametrize("second", [binary, plain])
def test_json_and_binary_mix_in_one_request(
    loaded: Loaded, first: Callable[..., tuple[dict[str, Any], bytes]], second: Callable[..., Any]
) -> None:
    a, b = np.array([6, 8], np.float32), np.array([2, 4], np.float32)
    model = loaded(onnx_models.divide(["N"]))
    assert outputs(ask(model, request(first("a", a), second("b", b)))) == {"quotient": [3, 2]}
    assert outputs(ask(model, request(first("b", b), second("a", a)))) == {"quotient": [3, 2]}


def test_json_and_binary_mix_in_one_answer(loaded: Loaded) -> None:
    model = loaded(onnx_models.two_outputs())
    for as_binary in (True, False):
        asked = [
            {"name": "copy", "parameters": {"binary_data": as_binary}},
            {"name": "total", "parameters": {"binary_data": not as_binary}},
        ]
        found = outputs(ask(model, request(binary("x", FLOATS), outputs=asked)))
        assert list(found) == ["copy", "total"]
        assert isinstance(found["copy"], np.ndarray) == as_binary
        assert isinstance(found["total"], np.ndarray) != as_binary
        assert np.ravel(found["copy"]).tolist() == [1.5, -2]
        assert list(found["total"]) == [-0.5]


def test_what_is_said_of_an_output_wins_over_what_is_said_of_all(loaded: Loaded) -> None:
    model = loaded(onnx_models.two_outputs())
    for of_all in (True, False):
        asked = [{"name": "copy", "parameters": {"binary_data": not of_all}}, {"name": "total"}]
        parameters = {"binary_data_output": of_all}
        found = outputs(ask(model, request(binary("x", FLOATS), outputs=asked, parameters=parameters)))
        assert isinstance(found["copy"], np.ndarray) != of_all
        assert isinstance(found["total"], np.ndarray) == of_all


def test_an_answer_without_bytes_is_plain_json(loaded: Loaded) -> None:
    answer = ask(loaded(onnx_models.double(["N", 2])), request(binary("x", FLOATS)))
    assert (answer.content_type, answer.headers, answer.tail) == ("application/json", (), ())


def test_binary_outputs_can_be_asked_for_without_binary_inputs(loaded: Loaded) -> None:
    body = orjson.dumps({"inputs": [plain("x", FLOATS)[0]], "parameters": {"binary_data_output": True}})
    answer = ask(loaded(onnx_models.double(["N", 2])), Request("POST", "/", {}, body))
    assert outputs(answer)["y"].tolist() == [[3, -4]]


def test_nan_and_infinities_come_back_as_they_are(loaded: Loaded) -> None:
    asked = request(
        binary("a", np.array([0, 1, -1], np.float32)),
        binary("b", np.zeros(3, np.float32)),
        parameters={"binary_data_output": True},
    )
    quotient = outputs(ask(loaded(onnx_models.divide(["N"])), asked))["quotient"]
    np.testing.assert_array_equal(quotient, np.array([np.nan, np.inf, -np.inf], np.float32))


def test_a_scalar_is_its_bytes_in_an_empty_shape(loaded: Loaded) -> None:
    model = loaded(onnx_models.identity("FP32", []))
    asked = request(binary("x", np.array(7, np.float32)), parameters={"binary_data_output": True})
    assert outputs(ask(model, asked))["y"].shape == ()


# Without a JSON part


def raw_request(body: bytes) -> Request:
    return Request("POST", "/v2/models/m/infer", {b"inference-header-content-length": b"0"}, body)


@pytest.mark.parametrize("shape", [[2, 2], ["N", 2], [2, "N"], ["N", 2, 1]])
def test_a_raw_body_is_the_only_input_in_the_shape_that_follows(loaded: Loaded, shape: onnx_models.Shape) -> None:
    body = np.arange(4, dtype=np.float32).tobytes()
    found = outputs(ask(loaded(onnx_models.double(shape)), raw_request(body)))["y"]
    assert found.shape == (2, 2, 1)[: len(shape or ())]
    assert found.ravel().tolist() == [0, 2, 4, 6]


def test_a_raw_body_is_one_text(loaded: Loaded) -> None:
    shapes: list[onnx_models.Shape] = [["N"], [1], ["N", 1]]
    for shape in shapes:
        answer = ask(loaded(onnx_models.identity("BYTES", shape)), raw_request("ä b".encode()))
        assert outputs(answer)["y"].ravel().tolist() == ["ä b"]


@pytest.mark.parametrize(
    ("graph", "body", "sentence"),
    [
        (onnx_models.divide(["N"]), b"", "only a model with one input takes a raw request; this one takes a"),
        (onnx_models.double(["N", "M"]), bytes(8), "shape of 8 bytes does not follow from the model"),
        (onnx_models.double(None), bytes(8), "does not follow from the model"),
        (onnx_models.double(["N", 2]), bytes(9), r"FP32 in the shape \[1, 2\] is 8 bytes, but 9 were sent"),
        (onnx_models.double([2]), bytes(4), "is 8 bytes, but 4 were sent"),
        (onnx_models.identity("BYTES", ["N", 2]), b"a", r"\[1\], but \[1, 2\] was declared"),
        (onnx_models.identity("BYTES", ["N"]), b"\xff", "not text in UTF-8"),
    ],
)
def test_a_raw_body_that_is_no_input_is_refused(
    loaded: Loaded, graph: onnx.ModelProto, body: bytes, sentence: str
) -> None:
    with pytest.raises(BadRequest, match=sentence):
        ask(loaded(graph), raw_request(body))


# Mistakes


@pytest.mark.parametrize("length", [b"", b"-1", b"a", b"1e3", b"10000", b"9" * 40, b"1_0", "²".encode(), b" 5"])
def test_a_length_of_the_json_part_that_cannot_be_is_refused(loaded: Loaded, length: bytes) -> None:
    with pytest.raises(BadRequest, match="Inference-Header-Content-Length must be"):
        ask(loaded(onnx_models.double(["N", 2])), request(binary("x", FLOATS), length=length))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"parameters": {"binary_data_size": 16}}, "'binary_data_size' of the input 'x' .* 8 are left"),
        ({"parameters": {"binary_data_size": -8}}, "'binary_data_size' of the input 'x'"),
        ({"parameters": {"binary_data_size": 8.0}}, "'binary_data_size' of the input 'x'"),
        ({"parameters": {"binary_data_size": True}}, "'binary_data_size' of the input 'x'"),
        ({"parameters": {"binary_data_size": "8"}}, "'binary_data_size' of the input 'x'"),
        ({"parameters": {"binary_data_size": 4}}, r"'x' is invalid: FP32 in the shape \[1, 2\] is 8 bytes, but 4"),
        ({"parameters": {}}, "must have either 'data' or the parameter 'binary_data_size'"),
        ({"data": [1, 2]}, "must have either 'data' or the parameter 'binary_data_size'"),
        ({"data": [1, 2], "parameters": {}}, "8 bytes are left over"),
        ({"shape": [2, 2]}, "is 16 bytes, but 8 were sent"),
        ({"shape": [2**62, 2]}, "bytes, but 8 were sent"),
        ({"shape": [-1, 2]}, "none below 0"),
        ({"shape": [2]}, "got the shape"),
        ({"datatype": "FP64"}, "takes: FP32"),
        ({"datatype": "BYTES"}, "takes: FP32"),
    ],
)
def test_a_mistake_is_answered_with_what_is_wrong(
    loaded: Loaded, change: dict[str, object], sentence: str
) -> None:
    head, raw = binary("x", FLOATS)
    with pytest.raises(BadRequest, match=sentence):
        ask(loaded(onnx_models.double(["N", 2])), request((head | change, raw)))


def test_bytes_without_the_header_are_missed(loaded: Loaded) -> None:
    body = orjson.dumps({"inputs": [binary("x", FLOATS)[0]]})
    with pytest.raises(BadRequest, match="0 are left behind the JSON part"):
        ask(loaded(onnx_models.double(["N", 2])), Request("POST", "/", {}, body))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Model]:
    graphs = [
        onnx_models.divide(["N"]),
        *(onnx_models.identity(datatype.name, ["N", "M"]) for datatype in DATATYPES),
    ]
    folder = tmp_path_factory.mktemp("models")
    return [
        load("m", "1", onnx_models.saved(graph, folder / f"{index}.onnx")) for index, graph in enumerate(graphs)
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 2**64 - 1) | st.floats() | st.sampled_from(["x", "FP32", "BYTES"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "data"]), inner, max_size=2)
    ),
    max_leaves=6,
)
TENSORS = st.fixed_dictionaries(
    {"name": st.sampled_from(["x", "a", "b"]) | JSON, "shape": st.lists(st.integers(0, 3), max_size=3) | JSON},
    optional={
        "datatype": st.sampled_from([datatype.name for datatype in DATATYPES]) | JSON,
        "data": st.lists(st.floats(width=16) | st.sampled_from([0, 1, "a", True]), max_size=6) | JSON,
        "parameters": st.fixed_dictionaries({"binary_data_size": st.integers(0, 20) | JSON}) | JSON,
    },
)
BODIES = st.fixed_dictionaries(
    {"inputs": st.lists(TENSORS, min_size=1, max_size=2) | JSON},
    optional={
        "id": JSON,
        "parameters": st.fixed_dictionaries({"binary_data_output": st.booleans() | JSON}) | JSON,
        "outputs": st.lists(st.fixed_dictionaries({"name": st.sampled_from(["y", "quotient"])}), max_size=2)
        | JSON,
        "padding": st.just([[0] * 3000]),  # for the reader of large bodies
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data(), BODIES | st.none(), st.binary(max_size=24), st.integers(-2, 2) | st.none())
def test_any_request_is_an_inference_or_an_error_of_the_tree(
    models: list[Model], data: st.DataObject, body: dict[str, Any] | None, tail: bytes, lie: int | None
) -> None:
    head = b"" if body is None else orjson.dumps(body)
    headers = {} if lie is None else {b"inference-header-content-length": str(len(head) + lie).encode()}
    model = data.draw(st.sampled_from(models))
    try:
        answer = ask(model, Request("POST", "/", headers, memoryview(head + tail)))
    except Error:
        return
    outputs(answer)
