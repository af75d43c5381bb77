"""JSON values to numpy arrays and back, without ever changing a value silently.

`numpy.array` on its own truncates 1.5 to 1 for an integer tensor, reads "12" as twelve, and turns [1, "a"] into
two strings. Here every value arrives as it was sent, or the request is refused.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from modelserver.errors import BadRequest

if TYPE_CHECKING:
    from modelserver.models.datatypes import Array, Datatype


def array_of(data: object, datatype: Datatype) -> Array:
    """An array of `datatype` in the shape of the nested lists `data` (a bare value has shape ()).

    null is NaN in a float tensor, true and false are 1 and 0 in a numeric one. Raises BadRequest for ragged
    lists and for any value that the datatype cannot hold exactly (floats are rounded to the nearest).
    """
    try:
        if datatype.is_text:
            return _texts(data)
        return _cast(np.array(data), data, datatype)
    except (ValueError, TypeError, OverflowError, FloatingPointError):
        raise BadRequest(_refusal(data, datatype)) from None


def reshaped(array: Array, shape: tuple[int, ...]) -> Array:
    """`array` in `shape` (no -1): flat data is folded row by row, nested data must already have that shape.

    Raises BadRequest when the number of elements, or the nesting, says otherwise.
    """
    if array.shape == shape:
        return array
    if array.size != math.prod(shape) or array.ndim > 1:
        raise BadRequest(f"the data has the shape {list(array.shape)}, but {list(shape)} was declared")
    return array.reshape(shape)


def jsonable(value: object) -> object:
    """What `dumps` can write for one output: arrays as they are, text and scalars as Python has them."""
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind == "O" or value.ndim == 0:
        return value.tolist()
    # ONNX Runtime gives int64 as C's long long, whose scalars orjson does not know; the view is the same by name.
    return np.ascontiguousarray(value).view(value.dtype.str)


def dumps(value: object) -> bytes:
    """`value` as JSON, numpy arrays included.

    JSON has no NaN and no infinities: both are written as null, as pandas and JavaScript do.
    """
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def loads(body: bytes | bytearray) -> dict[str, Any]:
    """The JSON object in `body`, whatever the content type said. Raises BadRequest."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object")
    return value


def _cast(found: Array, data: object, datatype: Datatype) -> Array:
    """`found`, numpy's own reading of `data`, as `datatype`; a kind that may have lost something is read again."""
    wanted = datatype.dtype
    if found.dtype == wanted:
        return found
    if found.size == 0:
        return found.astype(wanted)
    if not np.can_cast(found.dtype, wanted, "same_kind") and found.dtype.kind + wanted.kind != "iu":
        found = _exact(data, datatype)
    with np.errstate(over="raise"):
        return _in_range(found, wanted).astype(wanted)


def _exact(data: object, datatype: Datatype) -> Array:
    """`data` as Python objects, all of which `datatype` may hold: whole numbers, or numbers and null."""
    found = np.array(data, dtype=object)
    allowed = (int, float, type(None)) if datatype.is_float else (bool,) if datatype.name == "BOOL" else (int,)
    if not all(isinstance(value, allowed) for value in found.flat):
        raise TypeError
    return found


def _in_range(found: Array, wanted: np.dtype[Any]) -> Array:
    if wanted.kind in "iu" and found.dtype.kind in "iuO":
        limits = np.iinfo(wanted)
        if found.min() < limits.min or found.max() > limits.max:
            raise OverflowError
    return found


def _texts(data: object) -> Array:
    found = np.array(data, dtype=object)
    if not all(isinstance(value, str) for value in found.flat):
        raise TypeError
    return found


def _refusal(data: object, datatype: Datatype) -> str:
    try:
        np.array(data)
    except ValueError:
        return "the data is ragged: lists on the same level must have the same length"
    return f"the data holds a value that is not a valid {datatype.name}"
