"""JSON values to numpy arrays and back, without ever changing a value silently.

`numpy.array` on its own truncates 1.5 to 1 for an integer tensor, reads "12" as twelve, and turns [1, "a"] into
two strings. Here every value arrives as it was sent, or the request is refused.
"""

from __future__ import annotations

import math
import struct
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import orjson

from modelserver.errors import BadRequest
from modelserver.models.signature import MAX_RANK
from modelserver.protocols import bulk
from modelserver.protocols.bulk import EXACT, NotBulk, occurrences

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelserver.models.datatypes import Array, Buffer, Datatype
    from modelserver.models.signature import Signature

Meaning = TypeVar("Meaning")

# In memory a list or an object is up to 30 times as large as in JSON; everything else, 12 times.
MOST_CONTAINERS = 2**21
FEW_CONTAINERS = 2 * MOST_CONTAINERS  # bytes of JSON that cannot hold more
NUMPY = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
RAGGED = "the data is ragged: lists on the same level must have the same length"


def understood(body: Buffer, signature: Signature, meaning: Callable[[dict[str, Any]], Meaning]) -> Meaning:
    """What `meaning` makes of the JSON object in `body`, a request to a model of this signature.

    Large bodies are read in bulk, which is quick but does not take all JSON. What it refuses, or `meaning` cannot
    take as it was read, is read again with care, so that only this decides and explains. Raises BadRequest.
    """
    if len(body) in bulk.SIZES and signature.takes_numbers:
        with suppress(NotBulk, BadRequest, TypeError, ValueError):  # the last two: an array where none belongs
            return meaning(bulk.loads(body))
    return meaning(loads(body))


def array_of(data: object, datatype: Datatype) -> Array:
    """An array of `datatype` in the shape of the nested lists `data` (a bare value has shape ()).

    null is NaN in a float tensor, true and false are 1 and 0 in a numeric one and the other way round, and a float
    that is whole is as good as an integer. Raises BadRequest for ragged lists and for any value that the datatype
    cannot hold exactly (floats are rounded to the nearest).
    """
    if isinstance(data, np.ndarray):
        return bulk.cast(data, datatype)
    values, shape = _flattened(data)
    array = _array(values, datatype)
    return array if len(shape) == 1 else array.reshape(shape)


def reshaped(array: Array, shape: tuple[int, ...]) -> Array:
    """`array` in `shape` (no -1): flat data is folded row by row, nested data must already have that shape, as far
    as lists without elements can show it.

    Raises BadRequest when the number of elements, or the nesting, says otherwise.
    """
    if array.shape == shape:
        return array
    if array.ndim <= 1 or (not array.size and array.shape == shape[: array.ndim]):
        try:
            return array.reshape(shape)
        except (ValueError, OverflowError):
            if array.size == math.prod(shape):  # no elements, but other sizes beyond any address
                raise BadRequest(f"no tensor can have the shape {list(shape)}") from None
    raise BadRequest(f"the data has the shape {list(array.shape)}, but {list(shape)} was declared")


def dumps(value: object) -> bytes:
    """`value` as JSON, numpy's arrays and scalars included.

    JSON has no NaN and no infinities: both are written as null, as pandas and JavaScript do.
    """
    return orjson.dumps(value, _plain, NUMPY)


def _plain(value: object) -> object:
    """What orjson can write instead: it takes no text, no shape (), no gaps between elements, no longlong."""
    if not isinstance(value, np.ndarray):
        if isinstance(value, np.generic):
            return value.item()
        raise TypeError
    if value.dtype.kind == "O":
        return value.tolist()
    return np.ascontiguousarray(value) if value.ndim else value[()]


def loads(body: Buffer) -> dict[str, Any]:
    """The JSON object in `body`, whatever the content type said. Raises BadRequest."""
    if len(body) > FEW_CONTAINERS:
        check_containers(body)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadRequest("the body must be a JSON object")
    return value


def check_containers(body: Buffer) -> None:
    """Raises BadRequest for so many lists and objects that making them would take the others' time."""
    if sum(occurrences(body, bracket) for bracket in "[{") > MOST_CONTAINERS:
        raise BadRequest(f"the body holds more than {MOST_CONTAINERS} lists and objects; send several requests")


def _flattened(data: object) -> tuple[list[Any], tuple[int, ...]]:
    """The values in nested lists, and the shape that they are nested in."""
    if type(data) is not list:
        return [data], ()
    shape = [len(data)]
    while data and type(first := data[0]) is list:
        shape.append(len(first))
        if len(data) == 1:
            data = first
        elif {*map(type, data)} == {list} and {*map(len, data)} == {len(first)}:
            data = list(chain.from_iterable(data))
        else:
            raise BadRequest(RAGGED)
    if len(shape) > MAX_RANK:
        raise BadRequest(f"the data is nested deeper than the {MAX_RANK} levels of any tensor")
    return data, tuple(shape)


def _array(values: list[Any], datatype: Datatype) -> Array:
    try:
        if datatype.is_text:
            return _texts(values)
        if datatype.name == "BOOL":
            return _booleans(values)
        return np.frombuffer(_packed(values, datatype), datatype.dtype)
    except (TypeError, struct.error, OverflowError):
        raise BadRequest(_refusal(values, datatype)) from None


def _texts(values: list[Any]) -> Array:
    if not {*map(type, values)} <= {str}:
        raise TypeError
    return np.array(values, dtype=object)


def _booleans(values: list[Any]) -> Array:
    if not {*values} <= {False, True}:  # which 0, 1, 0.0 and 1.0 are equal to
        raise TypeError
    return np.array(values, dtype=bool)


def _packed(values: list[Any], datatype: Datatype) -> bytes:
    """`values` as bytes. The module struct is as fast as numpy, and refuses what numpy would bend."""
    pack = _packer(len(values), datatype.code)
    try:
        return pack(*values)
    except (struct.error, OverflowError):
        return pack(*map(_null_as_nan if datatype.is_float else _whole_as_integer, values))


@lru_cache(maxsize=256)
def _packer(count: int, code: str) -> Callable[..., bytes]:
    return struct.Struct(f"<{count}{code}").pack


def _null_as_nan(value: object) -> object:
    return math.nan if value is None else value


def _whole_as_integer(value: object) -> object:
    return int(value) if isinstance(value, float) and abs(value) <= EXACT and value.is_integer() else value


def _refusal(values: list[Any], datatype: Datatype) -> str:
    if any(type(value) is list for value in values):
        return RAGGED
    return f"the data holds a value that is not a valid {datatype.name}"
