"""Small ONNX models to serve in tests, each with one property that matters."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Shape = list[int | str | None] | None
OPSET = 17
IR = 9
ELEMENT = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}


def identity(datatype: str = "FP32", shape: Shape = None) -> onnx.ModelProto:
    """Gives back its input `x` as `y`."""
    return _model([helper.make_node("Identity", ["x"], ["y"])], [("x", datatype, shape)], [("y", datatype, shape)])


def double(shape: Shape) -> onnx.ModelProto:
    """`y` = 2 · `x`, FP32."""
    nodes = [helper.make_node("Add", ["x", "x"], ["y"])]
    return _model(nodes, [("x", "FP32", shape)], [("y", "FP32", shape)])


def divide(shape: Shape) -> onnx.ModelProto:
    """`quotient` = `a` / `b`, FP32: gives NaN and infinities to who asks for them."""
    nodes = [helper.make_node("Div", ["a", "b"], ["quotient"])]
    return _model(nodes, [("a", "FP32", shape), ("b", "FP32", shape)], [("quotient", "FP32", shape)])


def two_outputs() -> onnx.ModelProto:
    """From `x` FP32 [-1,2]: `total` [-1] and `copy` [-1,2]."""
    nodes = [
        helper.make_node("ReduceSum", ["x", "axes"], ["total"], keepdims=0),
        helper.make_node("Identity", ["x"], ["copy"]),
    ]
    axes = numpy_helper.from_array(np.array([1], np.int64), "axes")
    return _model(nodes, [("x", "FP32", ["N", 2])], [("total", "FP32", ["N"]), ("copy", "FP32", ["N", 2])], [axes])


def rows_and_a_scalar() -> onnx.ModelProto:
    """From `x` FP32 [-1]: `copy` [-1] and the scalar `total`."""
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0),
        helper.make_node("Identity", ["x"], ["copy"]),
    ]
    return _model(nodes, [("x", "FP32", ["N"])], [("copy", "FP32", ["N"]), ("total", "FP32", [])])


def zip_map() -> onnx.ModelProto:
    """From `x` FP32 [-1,2]: `best`, a copy of x, and `scores`, a sequence of maps as scikit-learn exports them."""
    nodes = [
        helper.make_node("Identity", ["x"], ["best"]),
        helper.make_node("ZipMap", ["x"], ["scores"], domain="ai.onnx.ml", classlabels_strings=["auto", "home"]),
    ]
    scores = onnx.ValueInfoProto(
        name="scores",
        type=helper.make_sequence_type_proto(
            helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
        ),
    )
    model = _model(nodes, [("x", "FP32", ["N", 2])], [("best", "FP32", ["N", 2])])
    model.graph.output.append(scores)
    return model


def rows_as_sequence(datatype: str = "FP32") -> onnx.ModelProto:
    """Gives the rows of `x` [-1,2] as a sequence of tensors, `rows`."""
    nodes = [helper.make_node("SplitToSequence", ["x"], ["rows"], axis=0)]
    model = _model(nodes, [("x", datatype, ["N", 2])], [])
    model.graph.output.append(helper.make_tensor_sequence_value_info("rows", ELEMENT[datatype], None))
    return model


def cast(given: int, made: int) -> onnx.ModelProto:
    """`y` is `x` as another type, both [-1]: takes and gives ONNX types that the protocols do not have."""
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=made)]
    x, y = (helper.make_tensor_value_info(name, element, ["N"]) for name, element in (("x", given), ("y", made)))
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(helper.make_graph(nodes, "cast", [x], [y]), opset_imports=opsets, ir_version=IR)


def lookup(rows: int = 3) -> onnx.ModelProto:
    """The row `index` INT64 [-1] of a table; loads and warms up, but fails on an index from `rows` on."""
    table = numpy_helper.from_array(np.arange(rows, dtype=np.float32), "table")
    nodes = [helper.make_node("Gather", ["table", "index"], ["row"])]
    return _model(nodes, [("index", "INT64", ["N"])], [("row", "FP32", ["N"])], [table])


def never_runs() -> onnx.ModelProto:
    """Loads, and fails on every input: it reshapes `x` to a size that nothing has."""
    shape = numpy_helper.from_array(np.array([7, 7], np.int64), "shape")
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    return _model(nodes, [("x", "FP32", ["N", 1])], [("y", "FP32", ["M", 7])], [shape])


def long_to_load(nodes: int = 20_000) -> onnx.ModelProto:
    """Gives `y` = `x` · 1.0001 to the power of `nodes`; takes seconds to load and nothing to run."""
    factor = numpy_helper.from_array(np.array(1.0001, np.float32), "factor")
    names = ["x", *(f"t{number}" for number in range(nodes - 1)), "y"]
    chain = [helper.make_node("Mul", [name, "factor"], [following]) for name, following in pairwise(names)]
    return _model(chain, [("x", "FP32", ["N"])], [("y", "FP32", ["N"])], [factor])


def slow() -> onnx.ModelProto:
    """Multiplies matrices `turns` INT64 [1] times (about 1 ms each) and then gives `done`, a number."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go_on"], ["go_on_out"]),
            helper.make_node("MatMul", ["state", "state"], ["state_out"]),
        ],
        "turn",
        [_value("turn", "INT64", []), _value("go_on", "BOOL", []), _value("state", "FP32", [256, 256])],
        [_value("go_on_out", "BOOL", []), _value("state_out", "FP32", [256, 256])],
    )
    nodes = [
        helper.make_node("Squeeze", ["turns"], ["count"]),
        helper.make_node("Loop", ["count", "", "start"], ["end"], body=body),
        helper.make_node("ReduceSum", ["end"], ["done"], keepdims=0),
    ]
    start = numpy_helper.from_array(np.eye(256, dtype=np.float32), "start")
    return _model(nodes, [("turns", "INT64", [1])], [("done", "FP32", [])], [start])


def softmax_over_rows() -> onnx.ModelProto:
    """`y` FP32 [-1,2] is the softmax of `x` along the first axis: every row depends on all others."""
    nodes = [helper.make_node("Softmax", ["x"], ["y"], axis=0)]
    return _model(nodes, [("x", "FP32", ["N", 2])], [("y", "FP32", ["N", 2])])


def running_total() -> onnx.ModelProto:
    """`y` FP32 [-1,2] adds up the rows of `x` so far: every row depends on those before it."""
    axis = numpy_helper.from_array(np.array(0, np.int64), "axis")
    nodes = [helper.make_node("CumSum", ["x", "axis"], ["y"])]
    return _model(nodes, [("x", "FP32", ["N", 2])], [("y", "FP32", ["N", 2])], [axis])


def noise() -> onnx.ModelProto:
    """`y` FP32 [-1,2] is `x` and some noise: it never gives the same twice."""
    nodes = [
        helper.make_node("RandomUniformLike", ["x"], ["noise"], dtype=TensorProto.FLOAT),
        helper.make_node("Add", ["x", "noise"], ["y"]),
    ]
    return _model(nodes, [("x", "FP32", ["N", 2])], [("y", "FP32", ["N", 2])])


def constant() -> onnx.ModelProto:
    """`y` FP32 [-1,2] is 0 whatever `x` is."""
    zero = numpy_helper.from_array(np.array(0, np.float32), "zero")
    nodes = [helper.make_node("Mul", ["x", "zero"], ["y"])]
    return _model(nodes, [("x", "FP32", ["N", 2])], [("y", "FP32", ["N", 2])], [zero])


def word_counts(words: Sequence[str]) -> onnx.ModelProto:
    """How often each of `words` is in `text` BYTES [-1]: `counts` FP32 [-1, number of words]."""
    nodes = [
        helper.make_node(
            "Tokenizer",
            ["text"],
            ["tokens"],
            domain="com.microsoft",
            mark=0,
            pad_value="#",
            mincharnum=1,
            separators=[" "],
        ),
        helper.make_node(
            "TfIdfVectorizer",
            ["tokens"],
            ["counts"],
            mode="TF",
            min_gram_length=1,
            max_gram_length=1,
            max_skip_count=0,
            ngram_counts=[0],
            ngram_indexes=list(range(len(words))),
            pool_strings=list(words),
        ),
    ]
    return _model(nodes, [("text", "BYTES", ["N"])], [("counts", "FP32", ["N", len(words)])])


def weights(megabytes: int) -> onnx.ModelProto:
    """`y` = `x` FP32 [-1,1024] times a matrix of about this size."""
    matrix = numpy_helper.from_array(np.full((1024, megabytes * 256), 0.5, np.float32), "matrix")
    nodes = [helper.make_node("MatMul", ["x", "matrix"], ["y"])]
    return _model(nodes, [("x", "FP32", ["N", 1024])], [("y", "FP32", ["N", megabytes * 256])], [matrix])


def vocabulary(words: int) -> onnx.ModelProto:
    """The number of the word `x` BYTES [-1]; takes twenty times as much memory as its file is large."""
    node = helper.make_node(
        "LabelEncoder",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        keys_strings=[f"word{number}" for number in range(words)],
        values_int64s=list(range(words)),
    )
    return _model([node], [("x", "BYTES", ["N"])], [("y", "INT64", ["N"])])


def saved(model: onnx.ModelProto, path: Path) -> Path:
    """`path`, after writing `model` there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def converted(model: onnx.ModelProto, path: Path) -> Path:
    """`path`, after writing `model` there in ONNX Runtime's own format."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry("session.save_model_format", "ORT")
    ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return path


def _model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[tuple[str, str, Shape]],
    outputs: Sequence[tuple[str, str, Shape]],
    constants: Sequence[onnx.TensorProto] = (),
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes, "test", [_value(*value) for value in inputs], [_value(*value) for value in outputs], constants
    )
    opsets = [helper.make_opsetid(*opset) for opset in (("", OPSET), ("ai.onnx.ml", 3), ("com.microsoft", 1))]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR)


def _value(name: str, datatype: str, shape: Shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, ELEMENT[datatype], shape)
