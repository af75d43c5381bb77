"""Load over gRPC, by a client that costs little: it sends the same bytes over and over and reads no answer twice.

``python -m bench.serving.grpc_load ADDRESS MODEL INPUT ROW.npy EXPECTED.npy CONNECTIONS SECONDS`` checks an
answer and then prints a line of JSON like the one of wrk's script. It runs where Triton's client is installed.
"""
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import chain

import grpc
import numpy as np
from tritonclient.grpc import service_pb2

METHOD = "/inference.GRPCInferenceService/ModelInfer"
# A connection of its own for every channel, as wrk has them.
OPTIONS = [("grpc.use_local_subchannel_pool", 1)]
TOLERANCE = 1e-4


async def main() -> None:
    """Prints what came of the load; ends with a sentence where the answer is not the right one."""
    address, model, name, row, expected, connections, seconds = sys.argv[1:]
    body = encoded(model, name, np.load(row))
    channels = [grpc.aio.insecure_channel(address, OPTIONS) for _ in range(int(connections))]
    calls = [channel.unary_unary(METHOD) for channel in channels]
    values = decoded(await calls[0](body))
    right = np.load(expected).ravel()
    if values.size != right.size or not np.allclose(values, right, atol=TOLERANCE):
        sys.exit(f"gRPC answers {values[:5]} where {right[:5]} are right")
    started = time.perf_counter()
    end = started + float(seconds)
    latencies = await asyncio.gather(*(asked(call, body, end) for call in calls))
    print(json.dumps(told(sorted(chain.from_iterable(latencies)), time.perf_counter() - started)))


async def asked(call: grpc.aio.UnaryUnaryMultiCallable, body: bytes, end: float) -> list[float]:
    """The latencies of one connection, in milliseconds; an error ends the program."""
    latencies = []
    while (start := time.perf_counter()) < end:
        await call(body)
        latencies.append(1000 * (time.perf_counter() - start))
    return latencies


def told(latencies: list[float], seconds: float) -> dict[str, float]:
    """The result in the words of wrk's script."""
    counted = {"requests": len(latencies), "seconds": seconds, "refused": 0, "broken": 0}
    quantiles = {name: _quantile(latencies, share) for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99))}
    return {**counted, **quantiles}


def encoded(model: str, name: str, row: np.ndarray) -> bytes:
    """The request for one row of float32."""
    tensor = service_pb2.ModelInferRequest.InferInputTensor(name=name, datatype="FP32", shape=row.shape)
    request = service_pb2.ModelInferRequest(model_name=model, inputs=[tensor])
    request.raw_input_contents.append(row.tobytes())
    return request.SerializeToString()


def decoded(answer: bytes) -> np.ndarray:
    """The values of the only output."""
    response = service_pb2.ModelInferResponse.FromString(answer)
    if response.raw_output_contents:
        return np.frombuffer(response.raw_output_contents[0], np.float32)
    return np.array(response.outputs[0].contents.fp32_contents)


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except grpc.aio.AioRpcError as error:
        sys.exit(f"gRPC answers {error.code().name}: {error.details()}")
