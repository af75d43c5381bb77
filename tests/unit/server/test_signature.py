"""Data that leaves out an axis still reaches a model that has one more."""

import numpy as np
import pytest

from modelserver.errors import BadRequest, Unsupported
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
        ((0,), (-1, 4), (0, 4)),  # a batch of none
        ((0,), (-1, 3, -1), (0, 3, 0)),
        ((2, 0), (-1, -1), (2, 0)),
    ],
)
def test_missing_axes_are_added(sent: tuple[int, ...], model: tuple[int, ...], fitted: tuple[int, ...]) -> None:
    assert spec(*model).fitted(np.zeros(sent)).shape == fitted


def test_too_many_axes_are_refused() -> None:
    with pytest.raises(BadRequest, match=r"got the shape \[2, 3\]"):
        spec(-1).fitted(np.zeros((2, 3)))


def test_a_model_that_leaves_its_rank_open_gets_what_was_sent() -> None:
    open_rank = TensorSpec("x", BY_NAME["FP32"], None)
    assert open_rank.fitted(np.zeros((2, 3))).shape == (2, 3)
    open_rank.check_shape((2, 3))
    open_rank.check_shape(())
    for impossible in ((2, -1), (1,) * 65):
        with pytest.raises(BadRequest, match="got the shape"):
            open_rank.check_shape(impossible)


@pytest.mark.parametrize("shape", [(4,), (3, 5), (1, 3, 4), (-1, 4), (-2, 4)])
def test_a_shape_that_the_model_cannot_take_is_refused_with_both_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadRequest, match=r"x \(FP32 \[-1, 4\]\) got the shape"):
        spec(-1, 4).check_shape(shape)


def test_a_free_axis_takes_any_size_even_none() -> None:
    for shape in ((0, 4), (1, 4), (10**9, 4)):
        spec(-1, 4).check_shape(shape)


def test_another_datatype_is_refused_with_both_names() -> None:
    spec(-1).check_datatype("FP32")
    with pytest.raises(BadRequest, match="'FP64' of the input 'x' is not what the model takes: FP32"):
        spec(-1).check_datatype("FP64")
    for unknown in ("float", None, 7, ["FP32"], {"FP32": 1}):
        with pytest.raises(BadRequest, match="is no datatype of the protocol, but not what the model takes: FP32"):
            spec(-1).check_datatype(unknown)


def test_a_sample_is_the_smallest_input_that_the_model_takes() -> None:
    assert spec(-1, 4).sample().tolist() == [[0, 0, 0, 0]]
    assert spec(-1, 1, datatype="BYTES").sample().tolist() == [["text"]]


def test_an_input_that_is_missing_or_unknown_is_named() -> None:
    signature = Signature((spec(-1, 4),), (), ())
    with pytest.raises(BadRequest, match=r"lacks the input x \(FP32 \[-1, 4\]\)"):
        signature.check_complete(set())
    with pytest.raises(BadRequest, match=r"no input 'z'; its inputs are x \(FP32 \[-1, 4\]\)"):
        signature.input("z")


def test_outputs_come_in_the_order_asked_for_and_all_when_none_is() -> None:
    a, b = (TensorSpec(name, BY_NAME["FP32"], (-1,)) for name in "ab")
    signature = Signature((), (a, b), ("a", "scores", "b"))
    assert signature.wanted([]) == (a, b)
    assert signature.wanted(["b", "a"]) == (b, a)
    with pytest.raises(BadRequest, match="no output 'c'; its outputs are a, b"):
        signature.wanted(["c"])
    with pytest.raises(BadRequest, match="twice"):
        signature.wanted(["a", "a"])
    with pytest.raises(Unsupported, match="'scores' is not a tensor"):
        signature.wanted(["a", "scores"])


@pytest.mark.parametrize(
    ("shapes", "gives_rows"),
    [
        ([(-1,), (-1, 2)], True),
        ([(1,), (1, 2)], True),
        ([None, (-1, 2)], True),
        ([(-1,), (3,)], False),  # three rows would be a coincidence
    ],
)
def test_outputs_are_rows_when_their_first_axes_are_declared_alike(
    shapes: list[tuple[int, ...] | None], gives_rows: bool
) -> None:
    outputs = tuple(TensorSpec(str(index), BY_NAME["FP32"], shape) for index, shape in enumerate(shapes))
    assert Signature((), outputs, ()).gives_rows == gives_rows
