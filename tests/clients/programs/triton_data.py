"""Values of every datatype that tritonclient sends, and what is the same in its HTTP and its gRPC clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from tritonclient.utils import InferenceServerException

from tests.clients.programs.statements import refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from numpy.typing import NDArray

    Array = NDArray[Any]

TEXTS = ["", "plain", "naïve 😀", "a\0b", "\0", "trailing\0"]

VALUES: dict[str, Array] = {
    "BOOL": np.array([[True, False], [False, True]]),
    **{
        f"{'U' * (kind == 'u')}INT{8 * size}": np.array(
            [[np.iinfo(f"{kind}{size}").min, np.iinfo(f"{kind}{size}").max]], f"{kind}{size}"
        )
        for kind in "iu"
        for size in (1, 2, 4, 8)
    },
    "FP16": np.array([[-1.5, 65504.0, 6e-8]], np.float16),
    "FP32": np.array([[-1.5, 3.4028235e38, 1e-45, -0.0]], np.float32),
    "FP64": np.array([[0.1, 1.7976931348623157e308, 5e-324]], np.float64),
    "BYTES": np.array([[text.encode() for text in TEXTS]], np.object_),
}


def tensor(library: ModuleType, name: str, array: Array, datatype: str, **options: bool) -> Any:
    """The input `name` of `library` (tritonclient.http or .grpc) that holds `array`."""
    made = library.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, **options)
    return made


def floats(library: ModuleType, name: str, *values: Sequence[float], **options: bool) -> Any:
    """An FP32 input with these rows."""
    return tensor(library, name, np.array(values, np.float32), "FP32", **options)


def same(found: Array | None, wanted: Array) -> bool:
    """Whether both are equal in type, shape and every bit."""
    if found is None or found.shape != wanted.shape:
        return False
    if wanted.dtype == np.object_:
        return bool((found == wanted).all())
    return found.dtype == wanted.dtype and found.tobytes() == wanted.tobytes()


def refusal(call: Callable[[], object]) -> InferenceServerException:
    """The exception with which `call` ends."""
    with refused(InferenceServerException) as refusal:
        call()
    return refusal.error
