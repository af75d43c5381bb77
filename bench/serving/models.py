"""The models that are served: five kinds of work, each with random weights that are the same every time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from samples.claims import lstm, texts

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
BUILD = Path("build/bench/models")
SEED = 3
OPSET = 17
IR = 9
CLAIMS = 2000
SENTENCES = 5
VOCABULARY, EMBEDDING, STATE = 20_000, 50, 128
CLASSES = 1000


@dataclass(frozen=True)
class Model:
    """A model in a file, with one input, one output, a row to ask about and what is right to answer."""

    name: str
    path: Path
    input: str
    output: str
    datatype: str
    row: Array
    expected: Array


def prepare(name: str) -> Model:
    """The model of that name, written when it is not there."""
    make, row = MODELS[name]
    path = BUILD / hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8] / f"{name}.onnx"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(make(np.random.default_rng(SEED)), path)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    value = row(np.random.default_rng(SEED))
    (expected,) = session.run(None, {given.name: value})
    datatype = "BYTES" if value.dtype == object else "FP32"
    return Model(name, path, given.name, made.name, datatype, value, expected)


def tiny(rng: np.random.Generator) -> onnx.ModelProto:
    """A perceptron, 30 → 64 → 32 → 2: next to no work, so that all of the cost is the server's."""
    graph = Graph(rng)
    graph.dense("x", "a", 30, 64)
    graph.node("Relu", "a", "b")
    graph.dense("b", "c", 64, 32)
    graph.node("Relu", "c", "d")
    graph.dense("d", "e", 32, 2)
    graph.node("Softmax", "e", "y")
    return graph.model("tiny", [30], [2])


def claim(rng: np.random.Generator) -> onnx.ModelProto:
    """The LSTM of the samples in its full size: milliseconds of work, of which batches save more than half."""
    shapes = {
        "embedding": (VOCABULARY, EMBEDDING),
        "input": (EMBEDDING, 4 * STATE),
        "recurrent": (STATE, 4 * STATE),
        "bias": (4 * STATE,),
        "dense": (STATE, 2),
        "dense_bias": (2,),
    }
    return lstm.exported({name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()})


def text(rng: np.random.Generator) -> onnx.ModelProto:
    """The classifier of the samples, which takes strings, without the labels that it also gives."""
    from samples.claims import classifier  # noqa: PLC0415 (a second, which only the first time needs)

    model = classifier.train(texts.write(CLAIMS, rng), longest_phrase=2)
    outputs = [value for value in model.graph.output if value.name == "probabilities"]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    return model


def image(rng: np.random.Generator) -> onnx.ModelProto:
    """MobileNet, version 1: milliseconds of work, of which batches save nothing."""
    graph = Graph(rng)
    graph.convolution("x", "x0", 3, 32, stride=2, size=3)
    name, channels = "x0", 32
    widths = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for number, (width, stride) in enumerate(widths, start=1):
        graph.convolution(name, f"d{number}", channels, channels, stride=stride, size=3, group=channels)
        graph.convolution(f"d{number}", f"x{number}", channels, width, stride=1, size=1)
        name, channels = f"x{number}", width
    graph.node("GlobalAveragePool", name, "pooled")
    graph.node("Flatten", "pooled", "features")
    graph.dense("features", "logits", channels, CLASSES)
    graph.node("Softmax", "logits", "y")
    return graph.model("image", [3, 224, 224], [CLASSES])


def payload(rng: np.random.Generator) -> onnx.ModelProto:
    """The mean of each colour of an image: all of the cost is that of carrying it."""
    graph = Graph(rng)
    graph.node("GlobalAveragePool", "x", "pooled")
    graph.node("Flatten", "pooled", "y")
    return graph.model("payload", [3, 224, 224], [3])


class Graph:
    """An ONNX graph in the making, from `x` to `y`, float32 with rows along the first axis."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def node(self, kind: str, given: str, made: str, *weights: str, **attributes: object) -> None:
        """Adds a node."""
        self._nodes.append(helper.make_node(kind, [given, *weights], [made], **attributes))

    def dense(self, given: str, made: str, width: int, out: int) -> None:
        """Adds a layer in which everything meets everything."""
        self.node("Gemm", given, made, self._weight(made, width, out, fan_in=width))

    def convolution(
        self, given: str, made: str, channels: int, out: int, *, stride: int, size: int, group: int = 1
    ) -> None:
        """Adds a convolution that keeps the borders, and cuts off what is below zero."""
        fan_in = channels // group * size * size
        weight = self._weight(made, out, channels // group, size, size, fan_in=fan_in)
        shape = {"kernel_shape": [size] * 2, "strides": [stride] * 2, "pads": [size // 2] * 4}
        self.node("Conv", given, f"{made}.sum", weight, group=group, **shape)
        self.node("Relu", f"{made}.sum", made)

    def model(self, name: str, given: list[int], made: list[int]) -> onnx.ModelProto:
        """The whole, for rows of these shapes."""
        graph = helper.make_graph(self._nodes, name, [_value("x", given)], [_value("y", made)], self._weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)

    def _weight(self, layer: str, *shape: int, fan_in: int) -> str:
        values = self._rng.normal(0, (2 / fan_in) ** 0.5, shape).astype(np.float32)
        self._weights.append(numpy_helper.from_array(values, f"{layer}.weight"))
        return f"{layer}.weight"


def _value(name: str, row: list[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *row])


def _numbers(*shape: int) -> Callable[[np.random.Generator], Array]:
    return lambda rng: rng.random((1, *shape)).astype(np.float32)


def _words(rng: np.random.Generator) -> Array:
    return rng.integers(0, VOCABULARY, (1, lstm.LENGTH)).astype(np.float32)


def _text(rng: np.random.Generator) -> Array:
    return np.array([" ".join(claim.text for claim in texts.write(SENTENCES, rng))], dtype=object)


MODELS: dict[
    str, tuple[Callable[[np.random.Generator], onnx.ModelProto], Callable[[np.random.Generator], Array]]
] = {
    "tiny": (tiny, _numbers(30)),
    "claim": (claim, _words),
    "text": (text, _text),
    "image": (image, _numbers(3, 224, 224)),
    "payload": (payload, _numbers(3, 224, 224)),
}
