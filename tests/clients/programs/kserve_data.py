"""Values of every datatype that the clients of KServe send, and how their tensors are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from kserve import InferInput, InferRequest
from kserve.protocol.infer_type import RequestedOutput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

FLOATS = np.array([[1, 2]], np.float32)
VALUES: dict[str, Array] = {
    "BOOL": np.array([[True, False]]),
    **{
        f"{'U' * (kind == 'u')}INT{8 * size}": np.array(
            [[np.iinfo(f"{kind}{size}").min, np.iinfo(f"{kind}{size}").max]], f"{kind}{size}"
        )
        for kind in "iu"
        for size in (1, 2, 4, 8)
    },
    "FP16": np.array([[-1.5, 65504.0]], np.float16),
    "FP32": np.array([[-1.5, 3.4028235e38]], np.float32),
    "FP64": np.array([[0.1, 5e-324]], np.float64),
    "BYTES": np.array([["", "naïve 😀", "a\0b"]], np.object_),
}


def binary(name: str, array: Array, datatype: str) -> InferInput:
    """The input `name` that holds `array` as bytes."""
    made = InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


def plain(name: str, array: Array, datatype: str) -> InferInput:
    """The input `name` that holds `array` as a list."""
    return InferInput(name, list(array.shape), datatype, array.ravel().tolist())


def request(
    model: str, *inputs: InferInput, outputs: list[RequestedOutput] | None = None, **more: Any
) -> InferRequest:
    """A request of these inputs; `more` is what else InferRequest takes."""
    return InferRequest(model, list(inputs), request_outputs=outputs, **more)


def same(found: Array, wanted: Array) -> bool:
    """Whether both are equal in type, shape and value, texts as text or as bytes."""
    if wanted.dtype == np.object_:
        texts = [text.decode() if isinstance(text, bytes) else text for text in found.ravel()]
        return found.shape == wanted.shape and texts == wanted.ravel().tolist()
    return (found.dtype, found.shape, found.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())
