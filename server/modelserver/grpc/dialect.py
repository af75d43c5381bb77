"""The Open Inference Protocol, version 2, over gRPC: a message to an inference, and its outputs to a message.

Tensors come raw or typed, never both in one request. They go raw, as Triton's always do: its clients read nothing
else, and all others read both. Who wants them typed sets the parameter `binary_data_output` to false, which means
the same over REST. Other parameters are treated as there: unknown ones are ignored, those that would change the
meaning of an answer or a request are refused.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from modelserver.errors import BadRequest, Unsupported
from modelserver.grpc.inference_pb2 import ModelInferResponse
from modelserver.grpc.message import Reply
from modelserver.grpc.raw import written
from modelserver.protocols.binary import raw_of, tensor_of, texts_of
from modelserver.protocols.inference import Inference
from modelserver.protocols.tensors import reshaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelserver.grpc.inference_pb2 import ModelInferRequest
    from modelserver.grpc.message import Call
    from modelserver.models.datatypes import Array, Buffer, Datatype
    from modelserver.models.model import Model
    from modelserver.models.signature import Signature, TensorSpec

    InferInputTensor = ModelInferRequest.InferInputTensor
    Parameters = Any  # a map of InferParameter, which mypy knows as two different types

NAME = "grpc"
# The field of InferTensorContents that a datatype has, and what its elements are. FP16 has none.
FIELDS = {
    "BOOL": ("bool_contents", np.dtype("bool")),
    **{name: ("int_contents", np.dtype("int32")) for name in ("INT8", "INT16", "INT32")},
    "INT64": ("int64_contents", np.dtype("int64")),
    **{name: ("uint_contents", np.dtype("uint32")) for name in ("UINT8", "UINT16", "UINT32")},
    "UINT64": ("uint64_contents", np.dtype("uint64")),
    "FP32": ("fp32_contents", np.dtype("float32")),
    "FP64": ("fp64_contents", np.dtype("float64")),
    "BYTES": ("bytes_contents", np.dtype("object")),
}
# No model has as many; looking at each of a million would hold up everybody else.
MOST_TENSORS = 1000
REFUSED = ("classification", "shared_memory_region")

refusal = Reply.refusal


def parse(model: Model, call: Call) -> Inference[Reply]:
    """The inference that the message of `call` asks of `model`. Raises BadRequest or Unsupported."""
    message: ModelInferRequest = call.message
    signature = model.signature
    if max(len(message.inputs), len(message.outputs)) > MOST_TENSORS:
        raise BadRequest(f"the request names more than {MOST_TENSORS} tensors; the model takes {signature}")
    feed = _feed(signature, message.inputs, call.raw)
    wanted = signature.wanted([output.name for output in message.outputs])
    for output in message.outputs:
        _check(output.name, output.parameters)
    answer = _answer
    if message.parameters and not _wants_raw(message.parameters):
        _check_typed(wanted)
        answer = _typed_answer
    return Inference(feed, signature.names(wanted), partial(answer, model, message.id, wanted))


# The request


def _feed(signature: Signature, tensors: Sequence[InferInputTensor], raw: Sequence[Buffer]) -> dict[str, Array]:
    if raw and len(raw) != len(tensors):
        raise BadRequest(f"there are {len(raw)} raw_input_contents for {len(tensors)} inputs; send one for each")
    feed = {}
    for index, tensor in enumerate(tensors):
        spec = signature.input(tensor.name)
        feed[tensor.name] = _array(spec, tensor, raw[index] if raw else None)
    if len(feed) < len(tensors):
        raise BadRequest("'inputs' names the same tensor twice")
    signature.check_complete(feed)
    return feed


def _array(spec: TensorSpec, tensor: InferInputTensor, raw: Buffer | None) -> Array:
    if tensor.parameters:
        _check(tensor.name, tensor.parameters)
    spec.check_datatype(tensor.datatype)
    shape = tuple(tensor.shape)
    spec.check_shape(shape)
    try:
        if raw is None:
            return reshaped(_typed(tensor, spec.datatype), shape)
        if tensor.HasField("contents"):
            raise BadRequest("it has 'contents', but the request has 'raw_input_contents'; send one of them")
        return tensor_of(raw, spec.datatype, shape)
    except BadRequest as error:
        raise spec.refused(error) from None


def _typed(tensor: InferInputTensor, datatype: Datatype) -> Array:
    """The flat array in the contents of `tensor`. Raises BadRequest."""
    if datatype.name not in FIELDS:
        raise BadRequest(f"{datatype.name} has no typed contents; send 'raw_input_contents'")
    field, dtype = FIELDS[datatype.name]
    others = [found.name for found, _ in tensor.contents.ListFields() if found.name != field]
    if others:
        raise BadRequest(f"{datatype.name} belongs into '{field}', not into '{others[0]}'")
    values = getattr(tensor.contents, field)
    if datatype.is_text:
        return texts_of(values)
    return _fitting(np.array(values, dtype), datatype)


def _fitting(array: Array, datatype: Datatype) -> Array:
    """`array`, whose elements may be wider than those of `datatype`. Raises BadRequest when they do not fit."""
    if array.dtype == datatype.dtype:
        return array
    fitted = array.astype(datatype.dtype)
    if not np.array_equal(fitted, array):
        raise BadRequest(f"the data holds a value that is not a valid {datatype.name}")
    return fitted


def _wants_raw(parameters: Parameters) -> bool:
    if "binary_data_output" not in parameters:
        return True
    found = parameters["binary_data_output"]
    if found.WhichOneof("parameter_choice") != "bool_param":
        raise BadRequest("the parameter 'binary_data_output' must be a bool_param")
    return bool(found.bool_param)


def _check(name: str, parameters: Parameters) -> None:
    for parameter in REFUSED:
        if parameter in parameters:
            raise Unsupported(f"the tensor '{name}' cannot be sent or had with {parameter!r}; leave it out")


def _check_typed(wanted: Sequence[TensorSpec]) -> None:
    for spec in wanted:
        if spec.datatype.name not in FIELDS:
            raise BadRequest(f"the output {spec} has no typed contents; leave out 'binary_data_output'")


# The answer


def _answer(model: Model, request_id: str, specs: Sequence[TensorSpec], values: list[Any]) -> Reply:
    response = ModelInferResponse(model_name=model.name, model_version=model.version, id=request_id)
    outputs = response.outputs
    for spec, value in zip(specs, values, strict=True):
        outputs.add(name=spec.name, datatype=spec.datatype.name, shape=value.shape)
    return Reply(written(response, [raw_of(value) for value in values]))


def _typed_answer(model: Model, request_id: str, specs: Sequence[TensorSpec], values: list[Any]) -> Reply:
    response = ModelInferResponse(model_name=model.name, model_version=model.version, id=request_id)
    for spec, value in zip(specs, values, strict=True):
        output = response.outputs.add(name=spec.name, datatype=spec.datatype.name, shape=value.shape)
        elements = value.reshape(-1).tolist()
        contents = getattr(output.contents, FIELDS[spec.datatype.name][0])
        contents.extend([text.encode() for text in elements] if spec.datatype.is_text else elements)
    return Reply([response.SerializeToString()])
