"""Calls of a running server's gRPC port, by the library that clients use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import numpy as np

from modelserver.grpc.inference_pb2 import ModelInferRequest, ModelInferResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.server_process import ServerProcess

METHOD = "/inference.GRPCInferenceService/ModelInfer"


def infer(
    server: ServerProcess,
    model: str,
    name: str,
    values: list[list[float]],
    metadata: Mapping[str, str] | None = None,
) -> list[float]:
    """The only output of `model`, flat, for its FP32 input `name`. Raises grpc.RpcError."""
    array = np.array(values, np.float32)
    tensor = ModelInferRequest.InferInputTensor(name=name, datatype="FP32", shape=array.shape)
    request = ModelInferRequest(model_name=model, inputs=[tensor], raw_input_contents=[array.tobytes()])
    with grpc.insecure_channel(f"127.0.0.1:{server.event('listening')['grpc_port']}") as channel:
        call = channel.unary_unary(METHOD, ModelInferRequest.SerializeToString, ModelInferResponse.FromString)
        answer = call(request, timeout=10, metadata=tuple((metadata or {}).items()))
    found: list[float] = np.frombuffer(answer.raw_output_contents[0], np.float32).tolist()
    return found
