"""The Open Inference Protocol, version 2, over REST with JSON bodies.

Answers follow the specification (github.com/kserve/open-inference-protocol) and, where that is silent, Triton:
output data is flat and row-major, errors are `{"error": "…"}`. The binary tensor extension is refused with 501.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from modelserver.errors import BadRequest, Unsupported
from modelserver.http.message import Response
from modelserver.models.datatypes import BY_NAME
from modelserver.protocols.inference import Inference
from modelserver.protocols.tensors import array_of, dumps, loads, reshaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelserver.errors import Error
    from modelserver.http.message import Request
    from modelserver.models.datatypes import Array
    from modelserver.models.model import Model
    from modelserver.models.signature import Signature, TensorSpec

NAME = "v2"


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
    if b"inference-header-content-length" in request.headers:
        raise Unsupported("the binary tensor extension is not supported; send the tensors' data as JSON")
    body = loads(request.body)
    request_id = body.get("id")
    if not isinstance(request_id, str | None):
        raise BadRequest("'id' must be a string")
    feed = _feed(model.signature, _objects(body, "inputs"))
    wanted = _wanted(model.signature, _objects(body, "outputs") if body.get("outputs") else None)
    return Inference(feed, [spec.name for spec in wanted], partial(_answer, model, request_id, wanted))


def refusal(error: Error) -> Response:
    """`error` as the protocol writes it; what will pass says when to try again."""
    retry = (("Retry-After", "1"),) if error.status == 503 else ()
    return Response.error(error.status, str(error), *retry)


def _objects(body: dict[str, Any], member: str) -> list[dict[str, Any]]:
    found = body.get(member)
    if not isinstance(found, list) or not all(_is_named(item) for item in found):
        raise BadRequest(f"'{member}' must be a list of objects, each with a 'name'")
    if len({item["name"] for item in found}) < len(found):
        raise BadRequest(f"'{member}' names the same tensor twice")
    return found


def _is_named(item: object) -> bool:
    return isinstance(item, dict) and isinstance(item.get("name"), str)


def _feed(signature: Signature, tensors: list[dict[str, Any]]) -> dict[str, Array]:
    feed = {tensor["name"]: _array(signature.input(tensor["name"]), tensor) for tensor in tensors}
    signature.check_complete(set(feed))
    return feed


def _array(spec: TensorSpec, tensor: dict[str, Any]) -> Array:
    if "data" not in tensor:
        raise BadRequest(f"the input '{spec.name}' has no 'data'")
    if tensor.get("datatype") != spec.datatype.name:
        raise BadRequest(_wrong_datatype(spec, tensor.get("datatype")))
    shape = _shape(spec, tensor.get("shape"))
    try:
        array = reshaped(array_of(tensor["data"], spec.datatype), shape)
    except BadRequest as error:
        raise BadRequest(f"the input '{spec.name}' is invalid: {error}") from None
    spec.check(array)
    return array


def _wrong_datatype(spec: TensorSpec, found: object) -> str:
    known = "is" if found in BY_NAME else "is no datatype of the protocol, but"
    return (
        f"the datatype {found!r} of the input '{spec.name}' {known} not what the model takes: {spec.datatype.name}"
    )


def _shape(spec: TensorSpec, shape: object) -> tuple[int, ...]:
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise BadRequest(f"the 'shape' of the input '{spec.name}' must be a list of sizes, none below 0")
    return tuple(shape)


def _wanted(signature: Signature, asked: list[dict[str, Any]] | None) -> list[TensorSpec]:
    """The outputs to answer with, in the order asked for; all of them when none was named."""
    by_name = {spec.name: spec for spec in signature.outputs}
    if asked is None:
        return list(signature.outputs)
    for item in asked:
        if item["name"] not in by_name:
            raise BadRequest(f"the model has no output '{item['name']}'; its outputs are {', '.join(by_name)}")
        if (item.get("parameters") or {}).get("binary_data"):
            raise Unsupported(f"the output '{item['name']}' can be had as JSON only: leave out 'binary_data'")
    return [by_name[item["name"]] for item in asked]


def _answer(model: Model, request_id: str | None, wanted: Sequence[TensorSpec], values: list[Any]) -> Response:
    answer: dict[str, object] = {"model_name": model.name, "model_version": model.version}
    if request_id is not None:
        answer["id"] = request_id
    answer["outputs"] = [_output(spec, value) for spec, value in zip(wanted, values, strict=True)]
    return Response(200, dumps(answer))


def _output(spec: TensorSpec, value: Array) -> dict[str, object]:
    flat = np.ascontiguousarray(value).ravel()
    return {
        "name": spec.name,
        "datatype": spec.datatype.name,
        "shape": list(value.shape),
        "data": flat.tolist() if spec.datatype.is_text else flat,
    }
