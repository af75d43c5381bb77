"""An entry script for Azure ML's inference server."""
# mypy: ignore-errors

import json

predict = None


def init():
    """Loads the model."""
    global predict  # noqa: PLW0603 (the way of these scripts)
    from onnx_model import predict  # noqa: PLC0415


def run(raw_data):
    """The results of the rows."""
    return {"results": predict(json.loads(raw_data)["data"]).tolist()}
