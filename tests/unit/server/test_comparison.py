"""Two answers are compared as people would: labels exactly, numbers nearly."""

import tracemalloc
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserver.comparison import compare

OUTPUT = {"name": "p", "datatype": "FP32", "shape": [1, 2], "data": [0.25, 0.75]}

ALIKE: list[tuple[Any, Any]] = [
    ("yes", "yes"),
    (None, None),
    (True, True),
    (3, 3),
    (3, 3.0),
    (0.25, 0.259),
    (1000.0, 1009.0),
    ([0.25, 0.75], [0.251, 0.749]),
    ([[1], [2, 3]], [[1], [2, 3]]),
    ([nan, inf], [nan, inf]),
    (["a", None, 1.0], ["a", None, 1.001]),
    ({"outputs": [OUTPUT]}, {"model_version": "4", "outputs": [{**OUTPUT, "data": [0.2501, 0.7499]}]}),
    ([], []),
    ([{"name": "label", "data": [1]}], [OUTPUT, {"name": "label", "data": [1]}]),
    ([{"name": "b"}, {"name": "a"}], [{"name": "a"}, {"name": "b"}]),
    ([{"name": "a", "v": 1}, {"name": "a", "v": 2}], [{"name": "a", "v": 1}, {"name": "a", "v": 2}]),
    (np.array(["a", "b"], dtype=object), np.array(["a", "b"], dtype=object)),
    (np.array([[0.5, 0.5]], dtype=np.float32), np.array([[0.501, 0.499]], dtype=np.float16)),
]
UNLIKE: list[tuple[Any, Any, str]] = [
    ("yes", "no", "it is 'no' instead of 'yes'"),
    ([{"name": "a", "v": 1}, {"name": "b"}], [{"name": "b"}, {"name": "a", "v": 2}], "[0].v is 2 instead of 1"),
    ([{"name": "a"}, {"name": "b"}], [{"name": "b"}], "[0] is None instead of {'name': 'a'}"),
    (3, 4, "it is 4 instead of 3"),
    (2**53, 2**53 + 1, f"it is {2**53 + 1} instead of {2**53}"),
    (True, False, "it is False instead of True"),
    (0.25, 0.27, "it is 0.27 instead of 0.25"),
    (1000.0, 1011.0, "it is 1011.0 instead of 1000.0"),
    ([0.25, 0.75], [0.25, 0.5], "[1] is 0.5 instead of 0.75"),
    ([[1, 2], [3, 4]], [[1, 2], [3, 5]], "[1][1] is 5 instead of 4"),
    ([1.0, 2.0], [1.0], "it has the shape (1,) instead of (2,)"),
    (["a", "b"], ["a"], "it is ['a'] instead of ['a', 'b']"),
    (["a", "b"], ["a", "c"], "[1] is 'c' instead of 'b'"),
    (0.5, nan, "it is nan instead of 0.5"),
    (nan, 0.5, "it is 0.5 instead of nan"),
    (0.5, "0.5", "it is '0.5' instead of 0.5"),
    (None, 0.5, "it is 0.5 instead of None"),
    ({"outputs": [OUTPUT]}, {"error": "no"}, "outputs is missing"),
    ({"outputs": [OUTPUT]}, [1], "it is [1] instead of {'outputs': ["),
    ({"outputs": [OUTPUT]}, {"outputs": [{**OUTPUT, "data": [1, 0]}]}, "outputs[0].data[0] is 1 instead of 0.25"),
]


@pytest.mark.parametrize(("expected", "got"), ALIKE)
def test_answers_agree_that_differ_within_the_tolerance_at_most(expected: object, got: object) -> None:
    found = compare(expected, got, 0.01)
    assert found.agrees, found.fault
    assert found.difference <= 0.01


@pytest.mark.parametrize(("expected", "got", "fault"), UNLIKE)
def test_what_is_not_the_same_is_said_with_its_place(expected: object, got: object, fault: str) -> None:
    found = compare(expected, got, 0.01)
    assert not found.agrees
    assert fault in found.fault
    assert found.difference > 0


def test_the_difference_is_absolute_below_one_and_relative_above() -> None:
    assert compare([0.2, 100.0], [0.21, 100.5], 1).difference == pytest.approx(0.01)
    assert compare([0.2, 100.0], [0.2, 103.0], 1).difference == pytest.approx(0.03)


def test_a_text_is_told_shortened_whatever_its_size() -> None:
    assert len(compare("a" * 10_000, "b" * 10_000, 0).fault) < 200


def test_a_long_text_among_many_short_ones_takes_no_more_memory_than_it_has() -> None:
    texts = [*map(str, range(200)), "a" * 100_000]
    tracemalloc.start()
    assert compare(texts, [*texts], 0).agrees
    assert compare([1.0, *texts], [1.0, *texts], 0).agrees
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1_000_000  # 80 MB, if NumPy took them for an array


@pytest.mark.parametrize("size", [2, 1000])
def test_it_does_not_depend_on_how_many_numbers_there_are(size: int) -> None:
    numbers = [1000.0] * size
    for last, agrees, difference in ((1005.0, True, 0.005), (1020.0, False, 0.02), (nan, False, inf)):
        found = compare(numbers, [*numbers[:-1], last], 0.01)
        assert found.agrees == agrees
        assert found.difference == pytest.approx(difference)
        assert found.place == ("" if agrees else f"[{size - 1}]")
    assert not compare([1000] * size, [1000] * (size - 1) + [1001], 0.01).agrees
    assert not compare(numbers, numbers[1:], 0.01).agrees


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_everything_agrees_with_itself(value: object) -> None:
    assert compare(value, value, 0).agrees


@given(VALUES, VALUES)
def test_anything_can_be_compared_with_anything(expected: object, got: object) -> None:
    found = compare(expected, got, 0.01)
    assert found.difference >= 0
