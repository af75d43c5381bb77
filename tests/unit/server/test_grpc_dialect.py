"""The Open Inference Protocol's messages over gRPC: to inferences, and from their outputs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from modelserver.errors import BadRequest, Error, Unsupported
from modelserver.grpc import dialect
from modelserver.grpc import inference_pb2 as messages
from modelserver.grpc.message import Call, Code, Reply
from modelserver.models.datatypes import BY_NAME
from tests.support import onnx_models
from tests.support.grpc_client import arrays, raw_request, typed_request

if TYPE_CHECKING:
    from collections.abc import Callable

    import onnx

    from modelserver.models.datatypes import Array
    from modelserver.models.model import Model

    Loaded = Callable[[onnx.ModelProto], Model]

VALUES = {
    "BOOL": [[True, False]],
    **{f"INT{bits}": [[-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]] for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": [[0, 2**bits - 1]] for bits in (8, 16, 32, 64)},
    "FP16": [[-1.5, 65504.0]],
    "FP32": [[-0.0, 3.4028235e38]],
    "FP64": [[0.1, 5e-324]],
    "BYTES": [["", "é😀\0"]],
}
FLOATS = ("FP32", np.array([[1.5, -2.0]], np.float32))


def called(message: messages.ModelInferRequest) -> Call:
    return Call("POST", "/", {}, message=message, raw=message.raw_input_contents)


def answered(model: Model, message: messages.ModelInferRequest) -> messages.ModelInferResponse:
    inference = dialect.parse(model, called(message))
    reply = inference.answer(model.run(inference.feed, inference.outputs))
    return messages.ModelInferResponse.FromString(b"".join(reply.pieces))


def refused(model: Model, message: messages.ModelInferRequest) -> str:
    with pytest.raises(BadRequest) as refusal:
        dialect.parse(model, called(message))
    return str(refusal.value)


def same(one: Array, other: Array) -> bool:
    equal = one.tolist() == other.tolist() if one.dtype.kind == "O" else one.tobytes() == other.tobytes()
    return one.dtype == other.dtype and one.shape == other.shape and equal


@pytest.mark.parametrize("datatype", VALUES)
def test_raw_tensors_come_back_as_they_were(loaded: Loaded, datatype: str) -> None:
    model = loaded(onnx_models.identity(datatype, ["N", 2]))
    array = np.array(VALUES[datatype], BY_NAME[datatype].dtype)
    answer = answered(model, raw_request("m", x=(datatype, array)))
    assert same(arrays(answer)["y"], array)
    assert (answer.outputs[0].datatype, list(answer.outputs[0].shape)) == (datatype, [1, 2])
    assert not answer.outputs[0].HasField("contents")


@pytest.mark.parametrize("datatype", sorted(VALUES.keys() - {"FP16"}))
def test_typed_tensors_are_answered_raw_or_typed(loaded: Loaded, datatype: str) -> None:
    model = loaded(onnx_models.identity(datatype, ["N", 2]))
    array = np.array(VALUES[datatype], BY_NAME[datatype].dtype)
    request = typed_request("m", x=(datatype, array))
    raw = answered(model, request)
    request.parameters["binary_data_output"].bool_param = False
    typed = answered(model, request)
    assert (len(raw.raw_output_contents), len(typed.raw_output_contents)) == (1, 0)
    assert same(arrays(raw)["y"], array)
    assert same(arrays(typed)["y"], array)


@pytest.mark.parametrize("shape", [(0, 2), (2, 0), (0, 0)])
@pytest.mark.parametrize("made", [raw_request, typed_request])
def test_tensors_without_elements_keep_their_shape(
    loaded: Loaded, made: Callable[..., messages.ModelInferRequest], shape: tuple[int, ...]
) -> None:
    model = loaded(onnx_models.identity("FP32", ["N", "M"]))
    answer = answered(model, made("m", x=("FP32", np.zeros(shape, np.float32))))
    assert arrays(answer)["y"].shape == shape


def test_a_scalar_keeps_its_shape(loaded: Loaded) -> None:
    model = loaded(onnx_models.rows_and_a_scalar())
    answer = answered(model, raw_request("m", x=("FP32", np.ones(3, np.float32))))
    assert (list(answer.outputs[1].shape), float(arrays(answer)["total"])) == ([], 3.0)


def test_the_id_the_name_and_the_version_come_back(loaded: Loaded) -> None:
    request = raw_request("m", x=FLOATS)
    request.id = "7é"
    answer = answered(loaded(onnx_models.two_outputs()), request)
    assert (answer.id, answer.model_name, answer.model_version) == ("7é", "m", "1")


def test_the_outputs_asked_for_come_in_their_order(loaded: Loaded) -> None:
    model = loaded(onnx_models.two_outputs())
    request = raw_request("m", x=FLOATS)
    assert [output.name for output in answered(model, request).outputs] == ["total", "copy"]
    request.outputs.add(name="copy")
    request.outputs.add(name="total")
    answer = answered(model, request)
    assert [output.name for output in answer.outputs] == ["copy", "total"]
    assert same(arrays(answer)["copy"], FLOATS[1])


def test_unknown_parameters_are_ignored(loaded: Loaded) -> None:
    request = raw_request("m", x=FLOATS)
    request.parameters["priority"].uint64_param = 1
    request.parameters["text"].string_param = "x"
    request.inputs[0].parameters["fraction"].double_param = 0.5
    assert answered(loaded(onnx_models.two_outputs()), request).outputs


@pytest.mark.parametrize("parameter", ["classification", "shared_memory_region"])
def test_parameters_that_would_change_the_answer_are_refused(loaded: Loaded, parameter: str) -> None:
    model = loaded(onnx_models.two_outputs())
    of_output, of_input = raw_request("m", x=FLOATS), raw_request("m", x=FLOATS)
    of_output.outputs.add(name="copy").parameters[parameter].int64_param = 1
    of_input.inputs[0].parameters[parameter].string_param = "x"
    for request in (of_output, of_input):
        with pytest.raises(Unsupported, match=parameter):
            dialect.parse(model, called(request))


def test_raw_and_typed_contents_do_not_mix(loaded: Loaded) -> None:
    request = typed_request("m", x=FLOATS)
    request.raw_input_contents.append(bytes(8))
    assert "send one of them" in refused(loaded(onnx_models.two_outputs()), request)


def test_every_input_has_its_raw_contents(loaded: Loaded) -> None:
    model = loaded(onnx_models.divide(["N", 1]))
    one = ("FP32", np.ones((1, 1), np.float32))
    request = raw_request("m", a=one, b=one)
    del request.raw_input_contents[1]
    assert "1 raw_input_contents for 2 inputs" in refused(model, request)


def test_an_input_is_named_once(loaded: Loaded) -> None:
    request = raw_request("m", x=FLOATS)
    request.inputs.add().CopyFrom(request.inputs[0])
    request.raw_input_contents.append(bytes(8))
    assert "twice" in refused(loaded(onnx_models.two_outputs()), request)


def test_a_missing_input_is_named(loaded: Loaded) -> None:
    request = raw_request("m", a=("FP32", np.ones((1, 1), np.float32)))
    assert "b (FP32" in refused(loaded(onnx_models.divide(["N", 1])), request)


@pytest.mark.parametrize(
    ("datatype", "contents", "words"),
    [
        ("FP32", {"fp64_contents": [1, 2]}, "fp32_contents"),
        ("FP32", {"fp32_contents": [1, 2, 3]}, "[3]"),
        ("FP32", {"fp32_contents": [1, 2], "int_contents": [1, 2]}, "int_contents"),
        ("FP32", {}, "[0]"),
        ("INT8", {"int_contents": [0, 128]}, "INT8"),
        ("UINT16", {"uint_contents": [0, 2**16]}, "UINT16"),
        ("FP16", {"fp32_contents": [1, 2]}, "raw_input_contents"),
        ("BYTES", {"bytes_contents": [b"\xff", b""]}, "UTF-8"),
    ],
)
def test_typed_contents_that_do_not_fit_are_refused(
    loaded: Loaded, datatype: str, contents: dict[str, list[object]], words: str
) -> None:
    model = loaded(onnx_models.identity(datatype, ["N", 2]))
    request = messages.ModelInferRequest()
    request.inputs.add(name="x", datatype=datatype, shape=[1, 2], contents=contents)
    assert words in refused(model, request)


@pytest.mark.parametrize(
    ("shape", "raw"),
    [
        ([1, 2], 7),
        ([1, 2], 9),
        ([1, 2], 0),
        ([-1, -2], 8),
        ([2**40, 2**40], 8),
        ([2**63 - 1, 2**63 - 1], 0),
        ([0, 2**63 - 1], 0),
        ([1] * 100, 4),
        ([2], 8),
        ([1, 2, 1], 8),
        ([1, 3], 12),
        ([], 4),
    ],
)
def test_shapes_that_lie_are_refused(loaded: Loaded, shape: list[int], raw: int) -> None:
    request = messages.ModelInferRequest(raw_input_contents=[bytes(raw)])
    request.inputs.add(name="x", datatype="FP32", shape=shape)
    assert "'x'" in (sentence := refused(loaded(onnx_models.two_outputs()), request)) or "x (FP32" in sentence


def test_huge_shapes_are_refused_where_the_model_takes_any(loaded: Loaded) -> None:
    model = loaded(onnx_models.identity("FP32", None))
    for shape in ([1] * 100, [2**63 - 1, 2**63 - 1, 0], [2**62, 4]):
        request = messages.ModelInferRequest(raw_input_contents=[b""])
        request.inputs.add(name="x", datatype="FP32", shape=shape)
        refused(model, request)


def test_the_datatype_has_to_be_the_model_s(loaded: Loaded) -> None:
    model = loaded(onnx_models.two_outputs())
    for datatype in ("INT64", "BF16", "fp32", ""):
        assert "FP32" in refused(model, raw_request("m", x=(datatype, FLOATS[1])))


def test_typed_outputs_of_fp16_are_refused(loaded: Loaded) -> None:
    model = loaded(onnx_models.identity("FP16", ["N", 2]))
    request = raw_request("m", x=("FP16", np.ones((1, 2), np.float16)))
    request.parameters["binary_data_output"].bool_param = False
    assert "binary_data_output" in refused(model, request)


def test_binary_data_output_is_true_or_false(loaded: Loaded) -> None:
    request = raw_request("m", x=FLOATS)
    request.parameters["binary_data_output"].string_param = "false"
    assert "bool_param" in refused(loaded(onnx_models.two_outputs()), request)


@given(mutations=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=20))
def test_garbage_is_answered_or_refused_and_nothing_else(
    session_model: Model, mutations: list[tuple[int, int]]
) -> None:
    body = bytearray(raw_request("m", x=FLOATS).SerializeToString())
    for place, value in mutations:
        body[place % len(body)] = value
    with suppress(DecodeError, BadRequest, Unsupported):
        message = messages.ModelInferRequest.FromString(bytes(body))
        dialect.parse(session_model, called(message))


@pytest.fixture(scope="module")
def session_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    from modelserver.models.model import load  # noqa: PLC0415

    path = tmp_path_factory.mktemp("model") / "model.onnx"
    return load("m", "1", onnx_models.saved(onnx_models.two_outputs(), path))


def test_a_refusal_has_a_code_and_a_sentence_that_headers_can_carry() -> None:
    reply = Reply.refusal(BadRequest("50% of 'é'\n"))
    assert reply.status() == ((b"grpc-status", b"3"), (b"grpc-message", b"50%25 of '%C3%A9'%0A"))
    assert Reply.refusal(Error("?")).code == Code.INTERNAL
