"""Data that leaves out an axis still reaches a model that has one more."""

import numpy as np
import pytest

from modelserver.errors import BadRequest
from modelserver.models.datatypes import BY_NAME
from modelserver.models.signature import Signature, TensorSpec


def spec(*shape: int, datatype: str = "FP32") -> TensorSpec:
    return TensorSpec("x", BY_NAME[datatype], shape)


@pytest.mark.parametrize(
    ("sent", "model", "fitted"),
    [
        ((3, 4), (-1, 4), (3, 4)),
        ((4,), (-1, 4), (1, 4)),  # one row
        ((3,), (-1, 1), (3, 1)),  # a column
        ((), (-1, 1), (1, 1)),  # one value
        ((), (-1,), (1,)),
        ((3, 1), (-1,), (3,)),  # a column for a model that takes a vector
        ((3, 8, 8), (-1, 3, 8, 8), (1, 3, 8, 8)),  # one image
        ((2, 3), (-1,), (2, 3)),  # too much: left as it is, for check to refuse
    ],
)
def test_missing_axes_are_added(sent: tuple[int, ...], model: tuple[int, ...], fitted: tuple[int, ...]) -> None:
    assert spec(*model).fitted(np.zeros(sent)).shape == fitted


def test_a_model_that_leaves_its_rank_open_gets_what_was_sent() -> None:
    open_rank = TensorSpec("x", BY_NAME["FP32"], None)
    assert open_rank.fitted(np.zeros((2, 3))).shape == (2, 3)
    open_rank.check(np.zeros((2, 3)))


@pytest.mark.parametrize("shape", [(4,), (3, 5), (1, 3, 4)])
def test_a_shape_that_the_model_cannot_take_is_refused_with_both_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadRequest, match=r"x \(FP32 \[-1, 4\]\) got the shape"):
        spec(-1, 4).check(np.zeros(shape))


def test_a_sample_is_the_smallest_input_that_the_model_takes() -> None:
    assert spec(-1, 4).sample().tolist() == [[0, 0, 0, 0]]
    assert spec(-1, 1, datatype="BYTES").sample().tolist() == [["text"]]


def test_an_input_that_is_missing_or_unknown_is_named() -> None:
    signature = Signature((spec(-1, 4),), (), ())
    with pytest.raises(BadRequest, match=r"lacks the input x \(FP32 \[-1, 4\]\)"):
        signature.check_complete(set())
    with pytest.raises(BadRequest, match=r"no input 'z'; its inputs are x \(FP32 \[-1, 4\]\)"):
        signature.input("z")
