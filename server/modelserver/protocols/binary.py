"""Tensors as the bytes that the Open Inference Protocol carries, over REST and gRPC: row-major and little-endian.

Numbers stay where they are, in both directions. BOOL is one byte each, 0 or 1. An element of BYTES is its length
in four bytes and then its text in UTF-8: ONNX Runtime's strings are text, it neither takes nor gives other bytes.
"""

from __future__ import annotations

import math
import sys
from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

from modelserver.errors import BadRequest
from modelserver.protocols.tensors import reshaped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelserver.models.datatypes import Array, Buffer, Datatype

if sys.byteorder != "little":
    raise ImportError("tensors are sent as they are in memory, which must be little-endian")

LENGTH = Struct("<I")


def tensor_of(raw: Buffer, datatype: Datatype, shape: tuple[int, ...]) -> Array:
    """The array that `raw` is, in `shape` (sizes from 0 on). It shares the memory of `raw`: keep that unchanged.

    Raises BadRequest when `raw` is not exactly the bytes of such an array.
    """
    count = math.prod(shape)
    if datatype.is_text:
        return reshaped(texts_of(_elements(raw, count)), shape)
    size = count * datatype.dtype.itemsize
    if len(raw) != size:
        raise BadRequest(f"{datatype.name} in the shape {list(shape)} is {size} bytes, but {len(raw)} were sent")
    array = np.frombuffer(raw, datatype.dtype)
    if datatype.name == "BOOL" and size and array.view(np.uint8).max() > 1:
        raise BadRequest("a BOOL is a byte that is 0 or 1, but another value was sent")
    # A kernel of ONNX Runtime may rely on numbers that lie where the processor likes them.
    return reshaped(array if array.flags.aligned else array.copy(), shape)


def texts_of(elements: Iterable[bytes]) -> Array:
    """A one-dimensional array of the texts in `elements` of BYTES. Raises BadRequest for what is not UTF-8."""
    try:
        return np.array([*map(bytes.decode, elements)], dtype=object)
    except UnicodeDecodeError as error:
        raise BadRequest(f"an element of BYTES is not text in UTF-8, which models take: {error}") from None


def raw_of(array: Array) -> bytes | memoryview:
    """The bytes that `array` is on the wire, without a copy if it is contiguous numbers; `len` counts bytes."""
    if array.dtype.kind == "O":
        return _raw_texts(array)
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _elements(raw: Buffer, count: int) -> list[bytes]:
    """The `count` elements of BYTES that fill `raw`, each behind its length. Raises BadRequest."""
    data, size, end = bytes(raw), len(raw), 0
    if count > size // LENGTH.size:
        raise BadRequest(f"{count} elements of BYTES need more than the {size} bytes that were sent")
    elements = []
    while end < size:
        start = end + LENGTH.size
        if start > size:
            raise BadRequest("the bytes end within the length of an element of BYTES")
        end = start + LENGTH.unpack_from(data, end)[0]
        elements.append(data[start:end])
    if end > size:
        raise BadRequest("the last element of BYTES is longer than the bytes that were sent")
    if len(elements) != count:
        raise BadRequest(f"{len(elements)} elements of BYTES were sent, but the shape is for {count}")
    return elements


def _raw_texts(array: Array) -> bytes:
    pieces: list[bytes] = []
    for text in array.flat:
        encoded = text.encode()
        pieces += (LENGTH.pack(len(encoded)), encoded)
    return b"".join(pieces)
