"""What a handler gives to a model, and gets of it, keeps its type, its shape and every bit."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from modelserver.handlers.values import described, restored

NUMBERS = [
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "float16",
    "float32",
    "float64",
]


def again(value: Any) -> Any:
    buffers: list[Any] = []
    description = json.loads(json.dumps(described(value, buffers)))
    return restored(description, iter([memoryview(bytes(buffer)) for buffer in buffers]))


@given(
    st.sampled_from(NUMBERS).flatmap(lambda name: arrays.arrays(name, arrays.array_shapes(min_dims=0, min_side=0)))
)
def test_numbers_keep_type_shape_and_bits(array: np.ndarray[Any, Any]) -> None:
    found = again(array)
    assert (found.dtype, found.shape, found.tobytes()) == (array.dtype, array.shape, array.tobytes())


@given(arrays.arrays(object, arrays.array_shapes(min_side=0), elements=st.text()))
def test_texts_keep_their_characters(array: np.ndarray[Any, Any]) -> None:
    found = again(array)
    assert (found.dtype, found.shape, found.tolist()) == (array.dtype, array.shape, array.tolist())


def test_an_array_of_text_that_numpy_made_is_text() -> None:
    assert again(np.array([["a", "bc"]])).tolist() == [["a", "bc"]]


def test_a_slice_that_is_not_contiguous_arrives_as_it_looks() -> None:
    matrix = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert np.array_equal(again(matrix[::2, ::-1].T), matrix[::2, ::-1].T)


def test_what_no_tensor_is_arrives_too() -> None:
    scores = [{"auto": 0.25, "home": float("inf")}, {1: np.float32(0.5), 2: None}]
    assert again(scores) == [{"auto": 0.25, "home": float("inf")}, {1: 0.5, 2: None}]
    assert again([np.array([1]), np.array([2, 3])])[1].tolist() == [2, 3]


@pytest.mark.parametrize(
    "array", [np.array([1j]), np.array([b"bytes"]), np.array(["2020-01-01"], "datetime64[D]")]
)
def test_an_array_that_no_model_takes_is_refused(array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(TypeError, match="neither of numbers nor of texts"):
        described(array, [])


@pytest.mark.parametrize(
    "description",
    [
        {"numbers": "|O", "shape": [1]},
        {"numbers": "nonsense", "shape": [1]},
        {"numbers": "<f4", "shape": [3]},
        {"numbers": "<f4", "shape": [-5]},
        {"numbers": "<f4", "shape": ["x"]},
        {"text": [7]},
        {"nothing": 1},
        [],
        None,
    ],
)
def test_a_description_of_nothing_is_refused(description: Any) -> None:
    with pytest.raises((ValueError, TypeError, LookupError)):
        restored(description, iter([b'["four", "of", "them", 4.0]']))
