"""The tensor element types that ONNX Runtime and the Open Inference Protocol share."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Datatype:
    """One element type: its name in the protocol, in ONNX Runtime, in numpy, and in the module struct."""

    name: str
    onnx: str
    dtype: np.dtype[np.generic]
    code: str
    is_text: bool = field(init=False)  # elements are strings (numpy holds them as objects)
    is_float: bool = field(init=False)  # elements may be NaN, which JSON writes as null

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_text", self.dtype.kind == "O")
        object.__setattr__(self, "is_float", self.dtype.kind == "f")

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the greatest that a BOOL or an integer can be."""
        if self.dtype.kind == "b":
            return 0, 1
        limits = np.iinfo(self.dtype.name)
        return int(limits.min), int(limits.max)


DATATYPES = tuple(
    Datatype(name, f"tensor({onnx})", np.dtype(dtype), code)
    for name, onnx, dtype, code in (
        ("BOOL", "bool", "bool", "?"),
        ("UINT8", "uint8", "uint8", "B"),
        ("UINT16", "uint16", "uint16", "H"),
        ("UINT32", "uint32", "uint32", "I"),
        ("UINT64", "uint64", "uint64", "Q"),
        ("INT8", "int8", "int8", "b"),
        ("INT16", "int16", "int16", "h"),
        ("INT32", "int32", "int32", "i"),
        ("INT64", "int64", "int64", "q"),
        ("FP16", "float16", "float16", "e"),
        ("FP32", "float", "float32", "f"),
        ("FP64", "double", "float64", "d"),
        ("BYTES", "string", "object", ""),
    )
)
BY_NAME = {datatype.name: datatype for datatype in DATATYPES}
BY_ONNX = {datatype.onnx: datatype for datatype in DATATYPES}
