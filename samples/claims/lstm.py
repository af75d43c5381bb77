"""The claim classifier as a network: word indices → embedding → LSTM → dense → softmax.

All of its weights are trained, by backpropagation through time written in numpy (no framework is needed for a
network this small). Input `words` (float32 [N, 125]), output `probabilities` (float32 [N, 2]: home, auto).

In the shapes below, T is the number of words, N of claims, E and H the sizes of an embedding and of the state.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samples.claims.texts import Claim

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Weights: TypeAlias = dict[str, Array]

LENGTH = 125
NOTHING, UNKNOWN = 0, 1
EMBEDDING = 16
STATE = 16
BATCH = 32
LEARNING_RATE = 0.01


def vocabulary_of(claims: Sequence[Claim]) -> dict[str, int]:
    """The index of every word that occurs more than once; 0 is no word at all, 1 a word that is not listed."""
    counts = Counter(word for claim in claims for word in _words(claim.text))
    known = sorted(word for word, count in counts.items() if count > 1)
    return {word: index for index, word in enumerate(known, start=UNKNOWN + 1)}


def encoded(texts: Sequence[str], vocabulary: dict[str, int]) -> Array:
    """The texts as rows of word indices, with zeros in front."""
    rows = np.full((len(texts), LENGTH), NOTHING, np.float32)
    for row, text in zip(rows, texts, strict=True):
        indices = [vocabulary.get(word, UNKNOWN) for word in _words(text)][-LENGTH:]
        row[LENGTH - len(indices) :] = indices
    return rows


def _words(text: str) -> list[str]:
    return re.findall("[a-z]+", text.lower())


def train(rows: Array, labels: Array, rng: np.random.Generator, epochs: int) -> Weights:
    """The weights that Adam finds when it has seen every row as often as there are epochs."""
    weights = _initial(int(rows.max()) + 1, rng)
    mean, square = _zeros_like(weights), _zeros_like(weights)
    step = 0
    for epoch in range(1, epochs + 1):
        for batch in np.array_split(rng.permutation(len(rows)), len(rows) // BATCH):
            step += 1
            gradients = _gradients(weights, rows[batch].astype(np.int64), labels[batch])
            rate = LEARNING_RATE * (1 - 0.999**step) ** 0.5 / (1 - 0.9**step)
            for name, gradient in gradients.items():
                mean[name] += 0.1 * (gradient - mean[name])
                square[name] += 0.001 * (gradient**2 - square[name])
                weights[name] -= rate * mean[name] / (np.sqrt(square[name]) + 1e-8)
        print(f"  … has read all {len(rows)} claims {epoch} of {epochs} times", flush=True)
    return weights


def _initial(vocabulary_size: int, rng: np.random.Generator) -> Weights:
    shapes = {
        "embedding": (vocabulary_size, EMBEDDING),
        "input": (EMBEDDING, 4 * STATE),
        "recurrent": (STATE, 4 * STATE),
        "dense": (STATE, 2),
    }
    weights = {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    biases = {"bias": np.zeros(4 * STATE, np.float32), "dense_bias": np.zeros(2, np.float32)}
    biases["bias"][2 * STATE : 3 * STATE] = 1  # the forget gate: remember, until training says otherwise
    return weights | biases


def _zeros_like(weights: Weights) -> Weights:
    return {name: np.zeros_like(value) for name, value in weights.items()}


def _gradients(weights: Weights, rows: Array, labels: Array) -> Weights:
    """The gradients of the mean cross entropy of one batch, [N, T] indices with [N] labels."""
    indices = rows.T
    embedded = weights["embedding"][indices]
    gates, cells, states = _forward(weights, embedded)
    error = (_softmax(states[-1] @ weights["dense"] + weights["dense_bias"]) - np.eye(2)[labels]) / len(labels)
    error = error.astype(np.float32)
    d_gates = _backward(weights, gates, cells, error @ weights["dense"].T)
    d_embedding = np.zeros_like(weights["embedding"])
    np.add.at(d_embedding, indices, d_gates @ weights["input"].T)
    return {
        "embedding": d_embedding,
        "input": np.tensordot(embedded, d_gates, ([0, 1], [0, 1])),
        "recurrent": np.tensordot(states[:-1], d_gates, ([0, 1], [0, 1])),
        "bias": d_gates.sum((0, 1)),
        "dense": states[-1].T @ error,
        "dense_bias": error.sum(0),
    }


def _forward(weights: Weights, embedded: Array) -> tuple[Array, Array, Array]:
    """The gates [T, N, 4H] in ONNX's order (input, output, forget, candidate), cells and states [T + 1, N, H]."""
    length, count, _ = embedded.shape
    gates = embedded @ weights["input"] + weights["bias"]
    cells, states = np.zeros((2, length + 1, count, STATE), np.float32)
    for t in range(length):
        gate = gates[t]  # a view: what is written into it is kept for the way back
        gate += states[t] @ weights["recurrent"]
        gate[:, : 3 * STATE] = 1 / (1 + np.exp(-gate[:, : 3 * STATE]))
        gate[:, 3 * STATE :] = np.tanh(gate[:, 3 * STATE :])
        i, o, f, c = np.split(gate, 4, axis=1)
        cells[t + 1] = f * cells[t] + i * c
        states[t + 1] = o * np.tanh(cells[t + 1])
    return gates, cells, states


def _backward(weights: Weights, gates: Array, cells: Array, d_state: Array) -> Array:
    """The gradients [T, N, 4H] before the gates' activations, from that of the last state."""
    d_gates = np.empty_like(gates)
    d_cell = np.zeros_like(d_state)
    for t in reversed(range(len(gates))):
        i, o, f, c = np.split(gates[t], 4, axis=1)
        squashed = np.tanh(cells[t + 1])
        d_cell = d_cell + d_state * o * (1 - squashed**2)
        d_gates[t] = np.hstack(
            [
                d_cell * c * i * (1 - i),
                d_state * squashed * o * (1 - o),
                d_cell * cells[t] * f * (1 - f),
                d_cell * i * (1 - c**2),
            ]
        )
        d_state = d_gates[t] @ weights["recurrent"].T
        d_cell = d_cell * f
    return d_gates


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    shares: Array = powers / powers.sum(1, keepdims=True)
    return shares


def exported(weights: Weights) -> ModelProto:
    """The trained network as an ONNX graph. Its LSTM has one direction, which ONNX gives an axis of its own."""
    size = len(weights["recurrent"])
    constants = {
        "embedding": weights["embedding"],
        "input": weights["input"].T[np.newaxis],
        "recurrent": weights["recurrent"].T[np.newaxis],
        "bias": np.concatenate([weights["bias"], np.zeros_like(weights["bias"])])[np.newaxis],
        "dense": weights["dense"],
        "dense_bias": weights["dense_bias"],
        "direction_axis": np.array([0]),
    }
    nodes = [
        helper.make_node("Cast", ["words"], ["indices"], to=TensorProto.INT64),
        helper.make_node("Transpose", ["indices"], ["by_position"], perm=[1, 0]),
        helper.make_node("Gather", ["embedding", "by_position"], ["embedded"]),
        helper.make_node("LSTM", ["embedded", "input", "recurrent", "bias"], ["", "last"], hidden_size=size),
        helper.make_node("Squeeze", ["last", "direction_axis"], ["state"]),
        helper.make_node("Gemm", ["state", "dense", "dense_bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "claims-lstm",
        [helper.make_tensor_value_info("words", TensorProto.FLOAT, ["N", LENGTH])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
