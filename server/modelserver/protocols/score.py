"""`POST /score`: `{"data": …}` in, `{"results": …}` out, for clients that know nothing about tensors.

`data` is one of
- the values of the only input, as nested lists: `[[5.1, 3.5], [6.2, 2.9]]`, `["a text", "another"]`; a single row
  or a single text is a batch of one;
- columns, for models with several inputs: `{"age": [31, 54], "text": ["…", "…"]}`;
- records, one per row: `[{"age": 31, "text": "…"}, {"age": 54, "text": "…"}]`.

`results` is
- for a model with one output: its values, row by row;
- for several outputs: one object per row, `{"label": 1, "probabilities": [0.02, 0.98]}`;
- where the outputs do not have the same number of rows: one object with each output's whole value.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from modelserver.errors import BadRequest
from modelserver.http.message import Response
from modelserver.protocols.inference import Inference
from modelserver.protocols.tensors import array_of, dumps, jsonable, loads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelserver.errors import Error
    from modelserver.http.message import Request
    from modelserver.models.datatypes import Array
    from modelserver.models.model import Model
    from modelserver.models.signature import Signature

NAME = "score"


def parse(model: Model, request: Request) -> Inference[Response]:
    """The inference that `request` asks of `model`. Raises BadRequest, naming the model's inputs."""
    signature = model.signature
    try:
        feed = _feed(signature, _data(request.body))
    except BadRequest as error:
        takes = f"The model '{model.name}' takes {signature}"
        raise BadRequest(f'{error}. {takes}; send {{"data": …}}, as GET /score shows') from None
    return Inference(feed, signature.all_outputs, partial(_answer, signature.all_outputs))


def refusal(error: Error) -> Response:
    """`{"message": …}`, as Azure ML's inference server writes errors."""
    retry = (("Retry-After", "1"),) if error.status == 503 else ()
    return Response(error.status, dumps({"message": str(error)}), headers=retry)


def usage(model: Model) -> dict[str, object]:
    """What `GET /score` answers: the inputs and outputs of `model`, and a body that works as an example."""
    return {
        "model_name": model.name,
        "model_version": model.version,
        "inputs": [spec.described() for spec in model.signature.inputs],
        "outputs": list(model.signature.all_outputs),
        "usage": f"POST /score?model_name={model.name} with a JSON object like the example",
        "example": {"data": _example(model.signature)},
    }


def _data(body: bytes | bytearray) -> object:
    try:
        return loads(body)["data"]
    except KeyError:
        raise BadRequest("the body has no member 'data'") from None


def _feed(signature: Signature, data: object) -> dict[str, Array]:
    columns = _columns(signature, data)
    for name in columns:
        signature.input(name)
    signature.check_complete(set(columns))
    feed: dict[str, Array] = {}
    for spec in signature.inputs:
        feed[spec.name] = spec.fitted(array_of(columns[spec.name], spec.datatype))
        spec.check(feed[spec.name])
    return feed


def _columns(signature: Signature, data: object) -> dict[str, object]:
    """`data` by input name, whichever of the three forms it came in."""
    if isinstance(data, dict):
        return data
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return _from_records(data)
    if len(signature.inputs) != 1:
        raise BadRequest("the model has several inputs, so 'data' must name them")
    return {signature.inputs[0].name: data}


def _from_records(records: list[Any]) -> dict[str, object]:
    names = records[0].keys()
    if not all(isinstance(record, dict) and record.keys() == names for record in records):
        raise BadRequest("the records in 'data' do not all have the same members")
    return {name: [record[name] for record in records] for name in names}


def _answer(names: Sequence[str], values: list[object]) -> Response:
    return Response(200, dumps({"results": _results(names, [jsonable(value) for value in values])}))


def _results(names: Sequence[str], values: list[Any]) -> object:
    if len(values) == 1:
        return values[0]
    if len({_rows(value) for value in values}) > 1 or _rows(values[0]) is None:
        return dict(zip(names, values, strict=True))
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _rows(value: Any) -> int | None:
    """How many rows an output has; None for a scalar."""
    if isinstance(value, np.ndarray):
        return len(value) if value.ndim else None
    return len(value) if isinstance(value, list) else None


def _example(signature: Signature) -> object:
    columns = {spec.name: jsonable(spec.sample()) for spec in signature.inputs}
    return columns if len(columns) > 1 else columns.popitem()[1]
