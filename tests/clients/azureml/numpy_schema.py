"""run() whose decorators make arrays of what arrives."""
# mypy: ignore-errors

import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    """Has nothing to do."""


@input_schema("data", NumpyParameterType(np.array([[1.0, 2.0]]), enforce_shape=False))
@input_schema("method", StandardPythonParameterType("sum"))
@output_schema(NumpyParameterType(np.array([3.0])))
def run(data, method="sum"):
    """Sums, an array that nobody can write as JSON, or what it got."""
    if method == "array":
        return data
    if method == "raise":
        raise ValueError(method)
    return data.sum(axis=1).tolist() if method == "sum" else repr((data, data.dtype.name))
