"""The claim classifier: scikit-learn's TF-IDF and logistic regression as one ONNX graph, tokenizer included.

Input `text` (string [N]), outputs `label` (int64 [N]) and `probabilities` (float [N, 2]: home, auto).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnx import ModelProto, TensorProto, helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import StringTensorType
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samples.claims.texts import Claim

OPSET = {"": 17, "ai.onnx.ml": 3}


def train(claims: Sequence[Claim], longest_phrase: int) -> ModelProto:
    """A classifier that knows the words of `claims`, and their phrases of up to `longest_phrase` words."""
    words = TfidfVectorizer(token_pattern="[a-z]+", ngram_range=(1, longest_phrase))  # noqa: S106 (not a password)
    pipeline = make_pipeline(words, LogisticRegression(C=10))
    pipeline.fit([claim.text for claim in claims], [claim.label for claim in claims])
    return _exported(pipeline)


def _exported(pipeline: Pipeline) -> ModelProto:
    """`pipeline` as a graph that gives probabilities as a plain tensor and runs on machines of any locale.

    Lower-casing asks for the locale en_US.UTF-8 unless the node names another, and slim images have only "C".
    """
    model = convert_sklearn(
        pipeline,
        name="claims",
        initial_types=[("text", StringTensorType([None]))],
        target_opset=OPSET,
        options={id(pipeline): {"zipmap": False}, TfidfVectorizer: {"locale": "C"}},
    )
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    model.opset_import.sort(key=lambda opset: opset.domain)  # it came from a set, in an order of the day
    return model


def broken(model: ModelProto) -> ModelProto:
    """`model` with a fault that only shows in use: it loads, and answers a single word, but no sentence.

    It reads a correction from a table by the number of words in the text, and the table has a single entry.
    """
    copy = ModelProto.FromString(model.SerializeToString())
    tokenizer = next(node for node in copy.graph.node if node.op_type == "Tokenizer")
    rename_output(copy, "probabilities", "uncorrected")
    copy.graph.initializer.extend(
        [
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
            helper.make_tensor("corrections", TensorProto.FLOAT, [1], [0.0]),
        ]
    )
    copy.graph.node.extend(
        [
            helper.make_node("Shape", [tokenizer.output[0]], ["word_count"], start=-1),
            helper.make_node("Sub", ["word_count", "one"], ["table_row"]),
            helper.make_node("Gather", ["corrections", "table_row"], ["correction"]),
            helper.make_node("Add", ["uncorrected", "correction"], ["probabilities"]),
        ]
    )
    return copy


def rename_output(model: Any, old: str, new: str) -> None:
    """Lets the node that gives `old` give `new` instead, so that another node can give `old`."""
    node = next(node for node in model.graph.node if old in node.output)
    node.output[list(node.output).index(old)] = new
