"""What models take and give, as a description in JSON and buffers: arrays keep their type, shape and bits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from modelserver.handlers.frames import Buffer

NUMBERS = "biuf"
TEXT = "OUT"


def described(value: Any, buffers: list[Buffer]) -> Any:
    """A description of an array, a list, a dict, or a plain value; what an array holds is appended to `buffers`.

    Raises TypeError for anything else.
    """
    if isinstance(value, np.ndarray):
        return _array(value, buffers)
    if isinstance(value, list):
        return {"list": [described(item, buffers) for item in value]}
    if isinstance(value, dict):
        return {"map": [[key, described(item, buffers)] for key, item in value.items()]}
    return {"value": value.item() if isinstance(value, np.generic) else value}


def restored(description: Any, buffers: Iterator[Buffer]) -> Any:
    """The value that was described. Raises ValueError, TypeError, LookupError or StopIteration if none was."""
    match description:
        case {"numbers": str(dtype), "shape": list(shape)}:
            return np.frombuffer(next(buffers), _numeric(dtype)).reshape(shape)
        case {"text": list(shape)}:
            return np.array(_texts(next(buffers)), dtype=object).reshape(shape)
        case {"list": list(items)}:
            return [restored(item, buffers) for item in items]
        case {"map": list(pairs)}:
            return {key: restored(item, buffers) for key, item in pairs}
    return description["value"]


def _array(array: np.ndarray[Any, Any], buffers: list[Buffer]) -> dict[str, Any]:
    if array.dtype.kind in NUMBERS:
        flat = np.ascontiguousarray(array).reshape(-1)
        buffers.append(memoryview(flat.view(np.uint8)))  # type: ignore[arg-type]  # an array is a buffer
        return {"numbers": array.dtype.str, "shape": list(array.shape)}
    if array.dtype.kind not in TEXT:
        raise TypeError(f"an array of {array.dtype} is neither of numbers nor of texts")
    buffers.append(json.dumps(array.ravel().tolist()).encode())
    return {"text": list(array.shape)}


def _numeric(name: str) -> np.dtype[Any]:
    dtype = np.dtype(name)
    if dtype.kind not in NUMBERS:
        raise ValueError(f"{name!r} is no type of numbers")
    return dtype


def _texts(buffer: Buffer) -> list[str]:
    texts = json.loads(bytes(buffer))
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("an array of texts holds something else")
    return list(texts)
