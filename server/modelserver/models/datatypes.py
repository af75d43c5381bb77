"""The tensor element types that ONNX Runtime and the Open Inference Protocol share."""

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Datatype:
    """One element type: its name in the protocol, in ONNX Runtime and in numpy."""

    name: str
    onnx: str
    dtype: np.dtype[np.generic]

    @property
    def is_text(self) -> bool:
        """Whether elements are strings (numpy holds them as objects)."""
        return self.dtype.kind == "O"

    @property
    def is_float(self) -> bool:
        """Whether elements may be NaN, which JSON writes as null."""
        return self.dtype.kind == "f"


DATATYPES = tuple(
    Datatype(name, f"tensor({onnx})", np.dtype(dtype))
    for name, onnx, dtype in (
        ("BOOL", "bool", "bool"),
        ("UINT8", "uint8", "uint8"),
        ("UINT16", "uint16", "uint16"),
        ("UINT32", "uint32", "uint32"),
        ("UINT64", "uint64", "uint64"),
        ("INT8", "int8", "int8"),
        ("INT16", "int16", "int16"),
        ("INT32", "int32", "int32"),
        ("INT64", "int64", "int64"),
        ("FP16", "float16", "float16"),
        ("FP32", "float", "float32"),
        ("FP64", "double", "float64"),
        ("BYTES", "string", "object"),
    )
)
BY_NAME = {datatype.name: datatype for datatype in DATATYPES}
BY_ONNX = {datatype.onnx: datatype for datatype in DATATYPES}
