"""Any number of small ONNX models of all kinds, each with an input: what protocols have to carry unharmed.

Every datatype, ranks from 0 to 5, fixed and free axes and free ranks, no elements, one to three inputs, several
outputs, outputs that are sequences and maps; and values at the limits of their datatypes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidGraph
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

from modelserver.models.datatypes import BY_NAME, DATATYPES, Array, Datatype
from tests.support.onnx_models import ELEMENT, IR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

OPSETS = (helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3))
RANKS = 6
TEXTS = ("", "plain", "naïve 😀", "a\0b", "\0", 'quo"te\\', "tab\t\n", "[1]", "12", "null", "x" * 300)
NUMERIC = tuple(datatype for datatype in DATATYPES if not datatype.is_text and datatype.name != "BOOL")
FLOATS = tuple(datatype for datatype in NUMERIC if datatype.is_float)
Feed = dict[str, Array]


@dataclass(frozen=True, eq=False)
class Specimen:
    """A model, an input for it, and what ONNX Runtime gives for that, by the names of the outputs."""

    kind: str
    model: onnx.ModelProto
    feed: Feed
    answer: dict[str, Any]

    def __str__(self) -> str:
        inputs = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in self.feed.items())
        return f"{self.kind} of {inputs}"


@dataclass
class Draft:
    """The parts of a model that one recipe made."""

    nodes: list[onnx.NodeProto]
    feed: Feed
    outputs: Sequence[str] = ("y",)
    constants: Sequence[Array] = ()  # c0, c1, …


def specimens(count: int, seed: int = 1) -> Iterator[Specimen]:
    """`count` specimens, the same for the same seed. What ONNX Runtime has no kernel for is left out."""
    random = np.random.default_rng(seed)
    while count:
        recipe = RECIPES[int(random.integers(len(RECIPES)))]
        if specimen := _bred(random, recipe.__name__.strip("_"), recipe(random)):
            yield specimen
            count -= 1


def same(found: Any, wanted: Any) -> bool:
    """Whether two outputs are equal, arrays in datatype, shape and every bit."""
    if isinstance(wanted, np.ndarray) and wanted.dtype.kind != "O":
        return (found.dtype, found.shape, found.tobytes()) == (wanted.dtype, wanted.shape, wanted.tobytes())
    if isinstance(wanted, np.ndarray):
        return bool(found.shape == wanted.shape and found.tolist() == wanted.tolist())
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    return bool(found == wanted)


def _bred(random: np.random.Generator, kind: str, draft: Draft) -> Specimen | None:
    inputs = [
        helper.make_tensor_value_info(name, ELEMENT[_name(array)], _declared(random, array.shape))
        for name, array in draft.feed.items()
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in draft.outputs]
    constants = [numpy_helper.from_array(array, f"c{index}") for index, array in enumerate(draft.constants)]
    graph = helper.make_graph(draft.nodes, kind, inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=IR)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except (InvalidGraph, NoKernel):  # the operator does not take this datatype, here or at all
        return None
    values = session.run(None, draft.feed)
    return Specimen(kind, model, draft.feed, dict(zip(draft.outputs, values, strict=True)))


def _name(array: Array) -> str:
    return next(datatype.name for datatype in DATATYPES if datatype.dtype == array.dtype)


def _declared(random: np.random.Generator, shape: tuple[int, ...]) -> list[int | str] | None:
    """`shape` with none, some or all of its axes free, or not even its rank declared."""
    way = random.integers(5)
    if way == 0:
        return None
    freedom = {1: 0.0, 2: 1.0}.get(int(way), 0.5)
    return [f"axis{axis}" if random.random() < freedom else size for axis, size in enumerate(shape)]


# What is in the inputs


def _shape(random: np.random.Generator, least: int = 0) -> tuple[int, ...]:
    """Of any rank from `least` on, seldom without elements."""
    sizes = random.integers(1, 4, random.integers(least, RANKS))
    if len(sizes) and random.random() < 0.1:
        sizes[random.integers(len(sizes))] = 0
    return tuple(int(size) for size in sizes)


def _values(random: np.random.Generator, datatype: Datatype, shape: tuple[int, ...]) -> Array:
    """Values that a client may send, those at the limits among them."""
    if datatype.is_text:
        return np.array(random.choice(TEXTS, shape), dtype=object).reshape(shape)
    if datatype.name == "BOOL":
        return np.array(random.integers(0, 2, shape), dtype=bool)
    usual: Array
    if datatype.is_float:
        limits = np.finfo(datatype.dtype.name)
        special = [limits.max, limits.min, limits.smallest_subnormal, -0.0, np.nan, 0.1]
        usual = random.standard_normal(shape)
    else:
        least, most = datatype.limits
        special, usual = [least, most, 0, 1], random.integers(0, 100, shape)
    found = np.array(usual, dtype=datatype.dtype)
    rare = random.random(shape) < 0.2
    return np.where(rare, random.choice(np.array(special, dtype=datatype.dtype), shape), found)


def _one(random: np.random.Generator, among: Sequence[Datatype]) -> Datatype:
    return among[int(random.integers(len(among)))]


def _inputs(
    random: np.random.Generator, count: int, among: Sequence[Datatype] = DATATYPES, least_rank: int = 0
) -> Feed:
    """`count` inputs of one datatype and shape, called a, b, c."""
    datatype, shape = _one(random, among), _shape(random, least_rank)
    return {name: _values(random, datatype, shape) for name in "abc"[:count]}


# Recipes


def _identity(random: np.random.Generator) -> Draft:
    return Draft([helper.make_node("Identity", ["a"], ["y"])], _inputs(random, 1))


def _arithmetic(random: np.random.Generator) -> Draft:
    operator = str(random.choice(["Add", "Sub", "Mul", "Max", "Min"]))
    return Draft([helper.make_node(operator, ["a", "b"], ["y"])], _inputs(random, 2, NUMERIC))


def _division_by_zero(random: np.random.Generator) -> Draft:
    feed = _inputs(random, 2, FLOATS)
    feed["b"] = np.where(random.random(feed["b"].shape) < 0.5, feed["b"].dtype.type(0), feed["b"])
    return Draft([helper.make_node("Div", ["a", "b"], ["y"])], feed)


def _comparison(random: np.random.Generator) -> Draft:
    operator = str(random.choice(["Equal", "Less", "Greater"]))
    among = DATATYPES if operator == "Equal" else NUMERIC
    return Draft([helper.make_node(operator, ["a", "b"], ["y"])], _inputs(random, 2, among))


def _choice(random: np.random.Generator) -> Draft:
    feed = _inputs(random, 2)
    feed["condition"] = _values(random, BY_NAME["BOOL"], feed["a"].shape)
    return Draft([helper.make_node("Where", ["condition", "a", "b"], ["y"])], feed)


def _concatenation(random: np.random.Generator) -> Draft:
    feed = _inputs(random, int(random.integers(1, 4)), least_rank=1)
    axis = int(random.integers(feed["a"].ndim))
    return Draft([helper.make_node("Concat", list(feed), ["y"], axis=axis)], feed)


def _flattening(random: np.random.Generator) -> Draft:
    flat = np.array([-1], np.int64)
    feed = _inputs(random, 1)
    if not feed["a"].size:
        flat[0] = 0
        return Draft([helper.make_node("Reshape", ["a", "c0"], ["y"], allowzero=1)], feed, constants=[flat])
    return Draft([helper.make_node("Reshape", ["a", "c0"], ["y"])], feed, constants=[flat])


def _transposition(random: np.random.Generator) -> Draft:
    return Draft([helper.make_node("Transpose", ["a"], ["y"])], _inputs(random, 1, least_rank=1))


def _new_axis(random: np.random.Generator) -> Draft:
    return Draft(
        [helper.make_node("Unsqueeze", ["a", "c0"], ["y"])], _inputs(random, 1), constants=[np.array([0])]
    )


def _product(random: np.random.Generator) -> Draft:
    datatype = _one(random, NUMERIC)
    rows, inner, columns = (int(size) for size in random.integers(1, 5, 3))
    batch = _shape(random)[:3]
    feed = {
        "a": _values(random, datatype, (*batch, rows, inner)),
        "b": _values(random, datatype, (inner, columns)),
    }
    return Draft([helper.make_node("MatMul", ["a", "b"], ["y"])], feed)


def _reduction(random: np.random.Generator) -> Draft:
    operator = str(random.choice(["ReduceSum", "ReduceMean", "ReduceMax", "ReduceProd"]))
    feed = _inputs(random, 1, NUMERIC)
    if not feed["a"].size and operator in {"ReduceMax", "ReduceMean"}:
        operator = "ReduceSum"
    return Draft([helper.make_node(operator, ["a"], ["y"], keepdims=int(random.integers(2)))], feed)


def _cast(random: np.random.Generator) -> Draft:
    feed = _inputs(random, 1, [BY_NAME[name] for name in ("BOOL", "UINT8", "INT16", "INT32", "INT64")])
    to = ELEMENT[_one(random, DATATYPES).name]
    return Draft([helper.make_node("Cast", ["a"], ["y"], to=to)], feed)


def _description(random: np.random.Generator) -> Draft:
    feed = _inputs(random, 1, least_rank=1)
    nodes = [helper.make_node("Shape", ["a"], ["shape"]), helper.make_node("Size", ["a"], ["size"])]
    return Draft([*nodes, helper.make_node("Identity", ["a"], ["copy"])], feed, ("size", "copy", "shape"))


def _several_outputs(random: np.random.Generator) -> Draft:
    feed = _inputs(random, int(random.integers(1, 4)), least_rank=1)
    nodes = [helper.make_node("Identity", [name], [f"same_{name}"]) for name in feed]
    nodes.append(helper.make_node("Transpose", ["a"], ["turned"]))
    return Draft(nodes, feed, [*(f"same_{name}" for name in feed), "turned"])


def _selection(random: np.random.Generator) -> Draft:
    feed = {"index": random.integers(0, 3, _shape(random)).astype(_one(random, INDICES).dtype)}
    table = np.where(np.arange(3) > 0, _values(random, _one(random, NUMERIC), (3,)), 1)
    return Draft([helper.make_node("Gather", ["c0", "index"], ["y"])], feed, constants=[table])


def _words(random: np.random.Generator) -> Draft:
    feed = _inputs(random, 2, [BY_NAME["BYTES"]])
    return Draft([helper.make_node("StringConcat", ["a", "b"], ["y"])], feed)


def _labels(random: np.random.Generator) -> Draft:
    feed = _inputs(random, 1, [BY_NAME["BYTES"]], least_rank=1)
    known: dict[str, Any] = {"keys_strings": [text for text in TEXTS if "\0" not in text][:4]}
    known["values_int64s"] = [2**60, -1, 0, 7]
    return Draft([helper.make_node("LabelEncoder", ["a"], ["y"], domain="ai.onnx.ml", **known)], feed)


def _sequence_of_parts(random: np.random.Generator) -> Draft:
    feed = _inputs(random, 1, least_rank=1)
    axis = int(np.argmax(feed["a"].shape))
    return Draft([helper.make_node("SplitToSequence", ["a"], ["y"], axis=axis)], feed)


def _sequence_of_inputs(random: np.random.Generator) -> Draft:
    feed = _inputs(random, int(random.integers(1, 4)))
    return Draft([helper.make_node("SequenceConstruct", list(feed), ["y"])], feed)


def _maps(random: np.random.Generator) -> Draft:
    labels: dict[str, Any] = {"classlabels_strings": ["auto", "ö"]} if random.random() < 0.5 else {}
    labels = labels or {"classlabels_int64s": [-1, 2**60]}
    feed = {"a": random.random((int(random.integers(1, 4)), 2), np.float32)}
    nodes = [
        helper.make_node("ZipMap", ["a"], ["maps"], domain="ai.onnx.ml", **labels),
        helper.make_node("ArgMax", ["a"], ["best"], axis=1, keepdims=0),
    ]
    return Draft(nodes, feed, ("best", "maps") if random.random() < 0.5 else ("maps",))


INDICES = (BY_NAME["INT32"], BY_NAME["INT64"])
RECIPES: tuple[Callable[[np.random.Generator], Draft], ...] = (
    *(_identity,) * 4,
    _arithmetic,
    _division_by_zero,
    _comparison,
    _choice,
    *(_concatenation,) * 2,
    _flattening,
    _transposition,
    _new_axis,
    _product,
    _reduction,
    _cast,
    _description,
    *(_several_outputs,) * 2,
    _selection,
    _words,
    _labels,
    _sequence_of_parts,
    _sequence_of_inputs,
    _maps,
)
