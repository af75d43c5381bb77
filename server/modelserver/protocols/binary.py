"""Tensors as the bytes that the Open Inference Protocol carries, over REST and gRPC: row-major and little-endian.

Numbers stay where they are, in both directions. BOOL is one byte each, 0 or 1; an element of BYTES is its length in
four bytes, then its text in UTF-8, since ONNX Runtime's strings are text: it can neither take nor give other bytes.
"""

from __future__ import annotations

import math
import sys
from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

from modelserver.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelserver.models.datatypes import Array, Datatype

    Buffer = bytes | bytearray | memoryview

if sys.byteorder != "little":
    raise ImportError("tensors are sent as they are in memory, which must be little-endian")

_LENGTH = Struct("<I")


def tensor_of(raw: Buffer, datatype: Datatype, shape: Sequence[int]) -> Array:
    """The array that `raw` is, in `shape` (sizes from 0 on). It shares the memory of `raw`: keep that unchanged.

    Raises BadRequest when `raw` is not exactly the bytes of such an array.
    """
    count = math.prod(shape)
    if datatype.is_text:
        return _texts(raw, count).reshape(shape)
    size = count * datatype.dtype.itemsize
    if len(raw) != size:
        raise BadRequest(f"{datatype.name} in the shape {list(shape)} is {size} bytes, but {len(raw)} were sent")
    array = np.frombuffer(raw, datatype.dtype)
    if datatype.name == "BOOL" and size and array.view(np.uint8).max() > 1:
        raise BadRequest("a BOOL is a byte that is 0 or 1; another value was sent")
    # A kernel of ONNX Runtime may rely on numbers that lie where the processor likes them.
    return (array if array.flags.aligned else array.copy()).reshape(shape)


def raw_of(array: Array) -> bytes | memoryview:
    """The bytes that `array` is on the wire, without a copy if it is contiguous numbers; `len` counts bytes."""
    if array.dtype.kind == "O":
        return _raw_texts(array)
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _texts(raw: Buffer, count: int) -> Array:
    if len(raw) < count * _LENGTH.size:
        raise BadRequest(f"{count} elements of BYTES need more than the {len(raw)} bytes that were sent")
    data = bytes(raw)
    texts = np.empty(count, dtype=object)
    start = 0
    for index in range(count):
        text, start = _text(data, start)
        texts[index] = text
    if start != len(data):
        raise BadRequest(f"{len(data) - start} bytes are left over after {count} elements of BYTES")
    return texts


def _text(data: bytes, start: int) -> tuple[str, int]:
    """The element of BYTES at `start`, and where the next one starts."""
    first = start + _LENGTH.size
    if first > len(data):
        raise BadRequest("the bytes end before the last element of BYTES")
    end = first + _LENGTH.unpack_from(data, start)[0]
    if end > len(data):
        raise BadRequest(f"an element of BYTES claims {end - first} bytes, but only {len(data) - first} follow")
    try:
        return data[first:end].decode(), end
    except UnicodeDecodeError as error:
        raise BadRequest(f"an element of BYTES is not text in UTF-8, which models take: {error}") from None


def _raw_texts(array: Array) -> bytes:
    pieces = []
    for text in array.flat:
        encoded = text.encode()
        pieces += (_LENGTH.pack(len(encoded)), encoded)
    return b"".join(pieces)
