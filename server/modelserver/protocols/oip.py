"""The Open Inference Protocol, version 2, over REST, tensors as JSON or as bytes (the binary tensor extension).

Answers follow the specification (github.com/kserve/open-inference-protocol) and, where that is silent, Triton:
output data is flat and row-major, errors are `{"error": "…"}`. Both may mix JSON and binary tensors.

- FP16 goes as JSON numbers as well, which Triton refuses: every FP16 is one exactly.
- A request whose JSON part has the length 0 is raw: its body is the model's only input, whose shape has to follow
  from the model and the number of bytes; for BYTES the body is one element, without its length. The answer is
  binary, too.
- Outputs that are no tensors (sequences, maps) are left out, and refused when they are asked for: see `/score`.
- Parameters that this server knows nothing of are ignored, as Triton does. Those that would change what a request
  or an answer means (shared memory, classification) are refused.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from modelserver.errors import BadRequest, Unsupported
from modelserver.http.message import Response
from modelserver.protocols.binary import raw_of, tensor_of, texts_of
from modelserver.protocols.inference import Inference
from modelserver.protocols.tensors import array_of, dumps, reshaped, understood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelserver.errors import Error
    from modelserver.http.message import Request
    from modelserver.models.datatypes import Array, Buffer
    from modelserver.models.model import Model
    from modelserver.models.signature import Signature, TensorSpec

NAME = "v2"
EXTENSIONS = ("binary_tensor_data",)
JSON_LENGTH = "Inference-Header-Content-Length"
JSON_LENGTH_KEY = JSON_LENGTH.lower().encode()
NONE: dict[str, Any] = {}


def metadata(model: Model, versions: list[str]) -> dict[str, object]:
    """The answer to `GET /v2/models/NAME`."""
    return {
        "name": model.name,
        "versions": versions,
        "platform": "onnxruntime_onnx",
        "inputs": [spec.described() for spec in model.signature.inputs],
        "outputs": [spec.described() for spec in model.signature.outputs],
    }


def parse(model: Model, request: Request) -> Inference[Response]:
    """The inference that `request` asks of `model`. Raises BadRequest or Unsupported."""
    body = request.body
    given = request.headers.get(JSON_LENGTH_KEY)
    if given is None:
        return understood(body, model.signature, partial(_inference, model, b""))
    view = memoryview(body)
    length = _json_length(given, view)
    if length == 0:
        return _raw_inference(model, view)
    return understood(view[:length], model.signature, partial(_inference, model, view[length:]))


def refusal(error: Error) -> Response:
    """`error` as the protocol writes it; what will pass says when to try again."""
    retry = (("Retry-After", "1"),) if error.status == 503 else ()
    return Response.error(error.status, str(error), *retry)


# The request


def _json_length(given: bytes, body: memoryview) -> int:
    length = int(given) if given.isdigit() and len(given) < 20 else -1
    if not 0 <= length <= len(body):
        raise BadRequest(f"{JSON_LENGTH} must be the number of bytes that the JSON part of the body has")
    return length


def _inference(model: Model, binary: Buffer, body: dict[str, Any]) -> Inference[Response]:
    """What the JSON object `body` asks for, whose tensors may be in `binary`."""
    signature = model.signature
    request_id = body.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise BadRequest("'id' must be a string")
    feed = _feed(signature, _named(body.get("inputs"), "inputs"), binary)
    all_binary = _flag(body, "binary_data_output", default=False)
    outputs = body.get("outputs")
    if outputs is None or outputs == []:
        wanted = signature.wanted(())
        return _answered(model, feed, request_id, wanted, [all_binary] * len(wanted))
    asked = _named(outputs, "outputs")
    wanted = signature.wanted([output["name"] for output in asked])
    return _answered(model, feed, request_id, wanted, [_is_binary(output, all_binary) for output in asked])


def _answered(
    model: Model,
    feed: dict[str, Array],
    request_id: str | None,
    wanted: tuple[TensorSpec, ...],
    forms: Sequence[bool],
) -> Inference[Response]:
    """The inference of the outputs `wanted`, those as bytes whose form is true."""
    return Inference(feed, model.signature.names(wanted), partial(_answer, model, request_id, wanted, forms))


def _named(found: object, member: str) -> list[dict[str, Any]]:
    """`found` as a list of objects with names, no two of them the same."""
    if not isinstance(found, list) or not all(map(_is_named, found)):
        raise BadRequest(f"'{member}' must be a list of objects, each with a 'name'")
    if len(found) > 1 and len({item["name"] for item in found}) < len(found):
        raise BadRequest(f"'{member}' names the same tensor twice")
    return found


def _is_named(item: object) -> bool:
    return isinstance(item, dict) and isinstance(item.get("name"), str)


def _feed(signature: Signature, tensors: list[dict[str, Any]], binary: Buffer) -> dict[str, Array]:
    feed = {}
    start = 0
    for tensor in tensors:
        spec = signature.input(tensor["name"])
        size = _binary_size(spec, tensor, len(binary) - start)
        feed[spec.name] = _array(spec, tensor, binary[start : start + size])
        start += size
    if start != len(binary):
        raise BadRequest(f"{len(binary) - start} bytes are left over behind the last binary tensor")
    signature.check_complete(feed)
    return feed


def _binary_size(spec: TensorSpec, tensor: dict[str, Any], left: int) -> int:
    """How many of the bytes that are `left` behind the JSON part are this tensor; 0 for one with 'data'."""
    parameters, has_data = _parameters(tensor), tensor.get("data") is not None
    if has_data and not parameters:
        return 0
    if "shared_memory_region" in parameters:
        raise Unsupported(f"the input '{spec.name}' cannot come in shared memory; send its data")
    size = parameters.get("binary_data_size")
    if (size is not None) == has_data:
        raise BadRequest(f"the input '{spec.name}' must have either 'data' or the parameter 'binary_data_size'")
    if size is None:
        return 0
    if type(size) is not int or not 0 <= size <= left:
        raise BadRequest(
            f"the 'binary_data_size' of the input '{spec.name}' must be a number of bytes; {left} are left behind "
            f"the JSON part, whose length {JSON_LENGTH} has to say"
        )
    return size


def _array(spec: TensorSpec, tensor: dict[str, Any], raw: Buffer) -> Array:
    spec.check_datatype(tensor.get("datatype"))
    shape = _shape(spec, tensor.get("shape"))
    spec.check_shape(shape)
    try:
        data = tensor.get("data")
        if data is None:
            return tensor_of(raw, spec.datatype, shape)
        return reshaped(array_of(data, spec.datatype), shape)
    except BadRequest as error:
        raise spec.refused(error) from None


def _shape(spec: TensorSpec, shape: object) -> tuple[int, ...]:
    sizes = tuple(shape) if isinstance(shape, list) else (-1,)
    for size in sizes:
        if type(size) is not int or size < 0:
            raise BadRequest(f"the 'shape' of the input '{spec.name}' must be a list of sizes, none below 0")
    return sizes


def _is_binary(output: dict[str, Any], default: bool) -> bool:
    for parameter in ("classification", "shared_memory_region"):
        if parameter in _parameters(output):
            raise Unsupported(f"the output '{output['name']}' cannot be had with {parameter!r}; leave it out")
    return _flag(output, "binary_data", default=default)


def _flag(item: dict[str, Any], parameter: str, *, default: bool) -> bool:
    found = _parameters(item).get(parameter, default)
    if not isinstance(found, bool):
        raise BadRequest(f"the parameter '{parameter}' must be true or false")
    return found


def _parameters(item: dict[str, Any]) -> dict[str, Any]:
    found = item.get("parameters")
    if found is None:
        return NONE
    if not isinstance(found, dict):
        raise BadRequest("'parameters' must be an object")
    return found


def _raw_inference(model: Model, body: memoryview) -> Inference[Response]:
    """The inference whose only input is the whole body."""
    signature = model.signature
    if len(signature.inputs) != 1:
        raise BadRequest(f"only a model with one input takes a raw request; this one takes {signature}")
    (spec,) = signature.inputs
    try:
        array = _raw_tensor(spec, body)
    except BadRequest as error:
        raise spec.refused(error) from None
    wanted = signature.wanted(())
    return _answered(model, {spec.name: array}, None, wanted, [True] * len(wanted))


def _raw_tensor(spec: TensorSpec, body: memoryview) -> Array:
    shape = _shape_of(spec, len(body))
    if spec.datatype.is_text:
        return reshaped(texts_of([body.tobytes()]), shape)
    return tensor_of(body, spec.datatype, shape)


def _shape_of(spec: TensorSpec, size: int) -> tuple[int, ...]:
    """The shape of `size` bytes: its only free axis, if there is one, follows from them. Of texts there is one."""
    axes = spec.shape or (-1, -1)
    if axes.count(-1) > 1:
        raise BadRequest(f"the shape of {size} bytes does not follow from the model; send a JSON part with it")
    each = math.prod(axis for axis in axes if axis >= 0) * spec.datatype.dtype.itemsize
    free = 1 if spec.datatype.is_text else size // max(each, 1)
    return tuple(free if axis < 0 else axis for axis in axes)


# The answer


def _answer(
    model: Model,
    request_id: str | None,
    specs: Sequence[TensorSpec],
    forms: Sequence[bool],
    values: list[Any],
) -> Response:
    answer: dict[str, object] = {"model_name": model.name, "model_version": model.version}
    if request_id is not None:
        answer["id"] = request_id
    if True not in forms:
        answer["outputs"] = list(map(_json_output, specs, values))
        return Response(200, dumps(answer))
    tail: list[bytes | memoryview] = []
    answer["outputs"] = [
        _binary_output(spec, value, tail) if as_binary else _json_output(spec, value)
        for spec, as_binary, value in zip(specs, forms, values, strict=True)
    ]
    head = dumps(answer)
    return Response(200, head, "application/octet-stream", ((JSON_LENGTH, str(len(head))),), tail)


def _json_output(spec: TensorSpec, value: Array) -> dict[str, object]:
    return {"name": spec.name, "datatype": spec.datatype.name, "shape": value.shape, "data": value.ravel()}


def _binary_output(spec: TensorSpec, value: Array, tail: list[bytes | memoryview]) -> dict[str, object]:
    raw = raw_of(value)
    tail.append(raw)
    return {
        "name": spec.name,
        "datatype": spec.datatype.name,
        "shape": value.shape,
        "parameters": {"binary_data_size": len(raw)},
    }
