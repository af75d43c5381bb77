"""JSON bodies that are mostly numbers, read straight into arrays: several times as fast as by way of lists.

What is read here means exactly what it means to the careful reader in `tensors`. This one takes less JSON than
that one, but never more, and never as anything else.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import simdjson

if TYPE_CHECKING:
    from modelserver.models.datatypes import Array, Buffer, Datatype

# The bytes of a body that this is for. Smaller ones are faster by way of lists; in a larger one, a list may have
# more elements than simdjson can count (2**24 - 1).
SIZES = range(4096, 2**25)
# A parser keeps memory for its largest body, and some more: none is kept that has met one larger than this.
KEPT_BYTES = 2**23
FEW = 64  # more members, or elements that are no numbers, are not worth it
MOST_LISTS = 2**20  # each is an object for a while
DEEP = 8  # levels of objects, and of lists that are not numbers
BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # which simdjson lets pass
EXACT = 2**53  # up to here every whole number is a double

_idle: list[simdjson.Parser] = []


class NotBulk(Exception):
    """Not for this reader: the careful one has to look."""


def loads(body: Buffer) -> Any:
    """The JSON in `body`; nested lists, and long ones, are arrays of float64, int64 or uint64. Raises NotBulk."""
    brackets = occurrences(body, "[")
    if brackets > MOST_LISTS or body[:3] == BYTE_ORDER_MARK:
        raise NotBulk
    parser = _parser()
    try:
        document = _value(parser.parse(body), DEEP)
    except (ValueError, TypeError, LookupError, RuntimeError):
        raise NotBulk from None
    # When every bracket is that of a list which was seen, none hides among the numbers of another list.
    if brackets != _lists(document):
        raise NotBulk
    if len(body) <= KEPT_BYTES:
        _idle.append(parser)
    return document


def cast(numbers: Array, datatype: Datatype) -> Array:
    """`numbers` that were read here as `datatype`. Raises NotBulk where it may not hold them all."""
    if datatype.is_text:
        raise NotBulk
    if datatype.is_float:
        return _floats(numbers, datatype)
    if numbers.size:
        _check_whole(numbers, datatype)
    return numbers.astype(datatype.dtype, copy=False)


def occurrences(body: Buffer, character: str) -> int:
    """How often a character of ASCII is in `body`; four times as fast as the method `count` of bytes."""
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == ord(character)))


def _parser() -> simdjson.Parser:
    try:
        return _idle.pop()
    except IndexError:
        return simdjson.Parser()


# simdjson's own conversions are of no use: they make lists of all numbers. A member is looked up by its name up to
# the first NUL, and of two with the same name the first is found, while the last one counts.


def _value(value: Any, depth: int) -> Any:
    """`value` as Python has it, with at most `depth` levels in it."""
    if isinstance(value, simdjson.Object):
        return _object(value, depth)
    if isinstance(value, simdjson.Array):
        return _list(value, depth)
    return value


def _object(value: simdjson.Object, depth: int) -> dict[str, Any]:
    names = list(value)
    if not depth or len(names) > FEW or len({*names}) < len(names) or "\0" in "".join(names):
        raise NotBulk
    return {name: _value(value[name], depth - 1) for name in names}


def _list(value: simdjson.Array, depth: int) -> Array | list[Any]:
    if len(value) > FEW or (len(value) and isinstance(value[0], simdjson.Array)):
        return _numbers(value)
    items = list(value)
    if not depth or simdjson.Array in map(type, items):
        raise NotBulk
    return [_value(item, depth - 1) for item in items]


def _numbers(value: simdjson.Array) -> Array:
    """An array in the shape of the lists in `value`, on each level of which all must have the same length."""
    shape = [len(value)]
    lists: list[Any] = [value]
    while isinstance(first := lists[0][0], simdjson.Array):
        lists = [item for row in lists for item in row]
        if {*map(type, lists)} != {simdjson.Array} or {*map(len, lists)} != {len(first)}:
            raise NotBulk
        shape.append(len(first))
    return _flat(value, first).reshape(shape)


def _flat(value: simdjson.Array, first: object) -> Array:
    """All numbers in `value`: integers, if the `first` one and all others are."""
    if isinstance(first, int):
        try:
            return np.frombuffer(value.as_buffer(of_type="i"), np.int64)
        except TypeError:
            pass
        except ValueError:
            return np.frombuffer(value.as_buffer(of_type="u"), np.uint64)
    return np.frombuffer(value.as_buffer(of_type="d"), np.float64)


def _lists(value: object) -> int:
    """How many lists `value` was made of."""
    if isinstance(value, dict):
        return sum(map(_lists, value.values()))
    if isinstance(value, list):
        return 1 + sum(map(_lists, value))
    if isinstance(value, np.ndarray):
        return sum(math.prod(value.shape[:axis]) for axis in range(value.ndim))
    return 0


def _floats(numbers: Array, datatype: Datatype) -> Array:
    try:
        with np.errstate(over="raise"):
            return numbers.astype(np.float64, copy=False).astype(datatype.dtype, copy=False)
    except FloatingPointError:
        raise NotBulk from None


def _check_whole(numbers: Array, datatype: Datatype) -> None:
    """Raises NotBulk unless all are whole numbers that `datatype` holds."""
    least, most = datatype.limits
    if numbers.dtype.kind == "f":
        least, most = max(least, -EXACT), min(most, EXACT)
        if not (np.trunc(numbers) == numbers).all():
            raise NotBulk
    if not least <= int(numbers.min()) <= int(numbers.max()) <= most:
        raise NotBulk
