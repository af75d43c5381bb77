"""A custom runtime for MLServer."""
# mypy: ignore-errors

from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse
from onnx_model import is_text, made, predict

codec = StringCodec if is_text else NumpyCodec


class Runtime(MLModel):
    """The model."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """The output of the only input."""
        result = predict(codec.decode_input(payload.inputs[0]))
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output(made.name, result)])
