"""`POST /score`: `{"data": …}` in, `{"results": …}` out, for clients that know nothing about tensors.

`data` is one of
- the values of the only input, as nested lists: `[[5.1, 3.5], [6.2, 2.9]]`, `["a text", "another"]`; a single row
  or a single text is a batch of one;
- columns, for models with several inputs: `{"age": [31, 54], "text": ["…", "…"]}`;
- records, one per row: `[{"age": 31, "text": "…"}, {"age": 54, "text": "…"}]`;
- a table: `{"columns": ["age", "text"], "data": [[31, "…"], [54, "…"]]}`, with or without an `index`.

A model with one input takes all columns of records or of a table, in their order, as one matrix. For a model that
takes more than texts, `data` may also be a text with any of this in JSON, as pandas' `to_json` writes it.

Instead of `data` the member may be called as MLflow and Azure ML call it: `dataframe_split`, `dataframe_records`,
`instances`, `inputs` or `input_data`. A member `model_name` says which model is meant, as `?model_name=` does;
other members are ignored.

`results` is
- for a model with one output: its values, row by row;
- for several outputs: one object per row, `{"label": 1, "probabilities": [0.02, 0.98]}`;
- where the outputs do not have the same rows: one object with each output's whole value.

Sequences are lists and maps are objects, so that scikit-learn's probabilities are `{"auto": 0.9, "home": 0.1}`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from modelserver.errors import BadRequest
from modelserver.http.message import Response
from modelserver.protocols.inference import Inference
from modelserver.protocols.tensors import array_of, check_containers, dumps, loads, understood

if TYPE_CHECKING:
    from modelserver.errors import Error
    from modelserver.http.message import Request
    from modelserver.models.datatypes import Array
    from modelserver.models.model import Model
    from modelserver.models.signature import Signature, TensorSpec

NAME = "score"
OTHER_NAMES = ("dataframe_split", "dataframe_records", "instances", "inputs", "input_data")
MODEL_NAME = "model_name"


def parse(model: Model, request: Request) -> Inference[Response]:
    """The inference that `request` asks of `model`. Raises BadRequest, naming the model's inputs."""
    signature = model.signature
    try:
        feed = understood(request.body, signature, partial(_feed, model))
    except BadRequest as error:
        takes = f"The model '{model.name}' takes {signature}"
        raise BadRequest(f'{error}. {takes}; send {{"data": …}}, as GET /score shows') from None
    return Inference(feed, signature.all_outputs, partial(_answer, signature))


def model_name(request: Request) -> str | None:
    """The model that the body of `request` names, if any. Raises BadRequest when the body is no JSON object."""
    found = loads(request.body).get(MODEL_NAME)
    return found if isinstance(found, str) else None


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


def _feed(model: Model, document: dict[str, Any]) -> dict[str, Array]:
    """The inputs of `model` from the JSON object `document`."""
    named = document.get(MODEL_NAME)
    if named is not None and named != model.name:
        raise BadRequest(f"the body names the model {named!r:.100}, but '{model.name}' was asked")
    data = document.get("data")
    if data is None:
        data = _renamed(document)
    if type(data) is str and model.signature.takes_numbers:
        data = _written(data)
    inputs = model.signature.inputs
    if len(inputs) == 1 and not _is_named(data):
        return {inputs[0].name: _array(inputs[0], data)}
    columns = _columns(model.signature, data)
    for name in columns:
        model.signature.input(name)
    model.signature.check_complete(columns)
    return {spec.name: _array(spec, columns[spec.name]) for spec in inputs}


def _renamed(document: dict[str, Any]) -> object:
    """What would be called 'data', under one of its other names."""
    found = [document[member] for member in OTHER_NAMES if document.get(member) is not None]
    if len(found) != 1:
        raise BadRequest("the body has no member 'data'")
    return found[0]


def _written(text: str) -> object:
    """The data that a client of the old template means, which writes its table as JSON, and that as a text."""
    raw = text.encode()
    check_containers(raw)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise BadRequest("'data' is a text, which the model does not take, and no JSON either") from None


def _is_named(data: object) -> bool:
    """Whether names of inputs or of columns are in `data`."""
    first = data[0] if type(data) is list and data else data
    return type(first) is dict


def _array(spec: TensorSpec, data: object) -> Array:
    try:
        array = array_of(data, spec.datatype)
    except BadRequest as error:
        raise spec.refused(error) from None
    return spec.fitted(array)


def _columns(signature: Signature, data: Any) -> dict[str, Any]:
    """`data` by input name, whichever of the forms it came in."""
    if isinstance(data, list) and _is_named(data):
        return _from_records(signature, data)
    if not isinstance(data, dict):
        raise BadRequest("the model has several inputs, so 'data' must name them")
    if data.keys() - {"index"} == {"columns", "data"} and not data.keys() <= signature.inputs_by_name.keys():
        return _from_table(signature, data["columns"], data["data"])
    return data


def _from_records(signature: Signature, records: list[Any]) -> dict[str, Any]:
    names = records[0].keys()
    if not all(isinstance(record, dict) and record.keys() == names for record in records):
        raise BadRequest("the records in 'data' do not all have the same members")
    if len(signature.inputs) == 1 and len(names) > 1 and signature.inputs[0].name not in names:
        return {signature.inputs[0].name: [[record[name] for name in names] for record in records]}
    return {name: [record[name] for record in records] for name in names}


def _from_table(signature: Signature, names: object, rows: Any) -> dict[str, Any]:
    if not isinstance(names, list) or not {*map(type, names)} <= {str, int} or len({*names}) < len(names):
        raise BadRequest("the 'columns' of a table must be a list of names, no two of them the same")
    if not _is_table(rows, len(names)):
        raise BadRequest(
            "the 'data' of a table must be a list of rows, each with one value for each of its columns"
        )
    if len(signature.inputs) == 1 and signature.inputs[0].name not in names:
        return {signature.inputs[0].name: rows}
    if isinstance(rows, np.ndarray):
        return {name: rows[:, index] for index, name in enumerate(names)}
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}


def _is_table(rows: object, width: int) -> bool:
    if isinstance(rows, np.ndarray):
        return rows.ndim > 1 and len(rows[0]) == width
    return isinstance(rows, list) and all(isinstance(row, list) and len(row) == width for row in rows)


def _answer(signature: Signature, values: list[object]) -> Response:
    return Response(200, dumps({"results": _results(signature, values)}))


def _results(signature: Signature, values: list[Any]) -> object:
    if len(values) == 1:
        return values[0]
    rows = {*map(_rows, values)}
    if None in rows or len(rows) > 1 or not signature.gives_rows:
        return dict(zip(signature.all_outputs, values, strict=True))
    return [dict(zip(signature.all_outputs, row, strict=True)) for row in zip(*values, strict=True)]


def _rows(value: object) -> int | None:
    """How many rows an output has; None for a scalar, and for a sequence of anything but maps."""
    if isinstance(value, np.ndarray):
        return len(value) if value.ndim else None
    return len(value) if isinstance(value, list) and all(isinstance(item, dict) for item in value) else None


def _example(signature: Signature) -> object:
    columns = {spec.name: spec.sample().tolist() for spec in signature.inputs}
    return columns if len(columns) > 1 else columns.popitem()[1]
