"""A custom model for KServe's server, for both of its protocols."""
# mypy: ignore-errors

from uuid import uuid4

from kserve import InferOutput, InferResponse, Model, ModelServer
from onnx_model import NAME, made, predict


class Served(Model):
    """The model."""

    def __init__(self):
        super().__init__(NAME)
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):  # noqa: ARG002
        """The answer in the protocol of the request."""
        if isinstance(payload, dict):
            return {"predictions": predict(payload["instances"]).tolist()}
        result = predict(payload.inputs[0].as_numpy())
        output = InferOutput(made.name, list(result.shape), "FP32")
        output.set_data_from_numpy(result, binary_data=False)
        return InferResponse(payload.id or str(uuid4()), NAME, [output], requested_outputs=payload.request_outputs)


if __name__ == "__main__":
    ModelServer().start([Served()])
