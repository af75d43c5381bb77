"""run() with nested types, defaults, a parameter that may be left out, headers, and lists of mixed types."""
# mypy: ignore-errors

import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType as Standard
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    """Has nothing to do."""


@input_schema("Inputs", Standard({"a": Standard(1), "numbers": NumpyParameterType(np.array([1, 2]))}))
@input_schema("GlobalParameters", Standard(1.0))
@input_schema("choice", Standard("x"), optional=True)
@input_schema("mixed", Standard([1, "x"]), optional=True)
@output_schema(Standard({"Results": Standard([1])}))
def run(Inputs, GlobalParameters=1.0, choice=None, mixed=None, request_headers=None):  # noqa: N803
    """What it got."""
    asked = sorted(name for name in request_headers if name.startswith("X-Asked"))
    return {"Results": repr((Inputs, GlobalParameters, choice, mixed, asked))}
