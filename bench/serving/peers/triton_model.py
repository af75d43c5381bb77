"""Triton's front end with a Python model behind it (pytriton), batching on as it is by default."""
# mypy: ignore-errors

import os
import signal
from contextlib import suppress

import numpy as np
from onnx_model import NAME, given, is_text, made, predict
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig


@batch
def infer(**inputs):
    """The outputs of a batch."""
    rows = inputs[given.name]
    return [predict(np.char.decode(rows.astype(bytes), "utf-8").ravel() if is_text else rows)]


if __name__ == "__main__":
    # SIGTERM would leave what is in shared memory.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ports = [int(port) for port in os.environ["BENCH_PORTS"].split(",")]
    config = TritonConfig(http_port=ports[0], grpc_port=ports[1], metrics_port=ports[2])
    with Triton(config=config) as triton:
        triton.bind(
            model_name=NAME,
            infer_func=[infer] * int(os.environ["BENCH_WORKERS"]),
            inputs=[
                Tensor(
                    name=given.name, dtype=bytes if is_text else np.float32, shape=tuple(given.shape[1:]) or (1,)
                )
            ],
            outputs=[Tensor(name=made.name, dtype=np.float32, shape=tuple(made.shape[1:]))],
            config=ModelConfig(max_batch_size=64, batcher=DynamicBatcher()),
        )
        with suppress(KeyboardInterrupt):
            triton.serve()
