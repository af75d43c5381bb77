"""Versions of the claim classifier that fail nobody's request and are worse all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnx import ModelProto, TensorProto, helper

from samples.claims.classifier import rename_output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onnx import NodeProto

SIZE = 1536


def wrong(model: ModelProto) -> ModelProto:
    """`model`, but it says auto of each home and home of each auto."""
    return _changed(
        model,
        "label",
        [helper.make_tensor("highest", TensorProto.INT64, [1], [1])],
        [helper.make_node("Sub", ["highest", "former"], ["label"])],
    )


def slow(model: ModelProto) -> ModelProto:
    """`model`, but before it says what it says it multiplies large matrices, for more than a tenth of a second."""
    return _changed(
        model,
        "probabilities",
        [
            helper.make_tensor("size", TensorProto.INT64, [2], [SIZE, SIZE]),
            helper.make_tensor("nothing", TensorProto.FLOAT, [1], [0.0]),
        ],
        [
            helper.make_node("ReduceMax", ["former"], ["scale"], keepdims=0),  # so that nothing is known before
            helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
            helper.make_node("Add", ["zeros", "scale"], ["once"]),
            helper.make_node("MatMul", ["once", "once"], ["twice"]),
            helper.make_node("MatMul", ["twice", "once"], ["thrice"]),
            helper.make_node("MatMul", ["thrice", "once"], ["often"]),
            helper.make_node("ReduceMax", ["often"], ["much"], keepdims=0),
            helper.make_node("Mul", ["much", "nothing"], ["of_no_use"]),
            helper.make_node("Add", ["former", "of_no_use"], ["probabilities"]),
        ],
    )


def _changed(
    model: ModelProto, output: str, constants: Iterable[TensorProto], nodes: Iterable[NodeProto]
) -> ModelProto:
    """`model` with nodes that make an output of the `former` one."""
    copy = ModelProto.FromString(model.SerializeToString())
    rename_output(copy, output, "former")
    copy.graph.initializer.extend(constants)
    copy.graph.node.extend(nodes)
    return copy
