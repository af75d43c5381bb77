"""Whether one answer says what another says: texts, labels and whole numbers exactly, other numbers nearly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from math import inf
from reprlib import repr as shortened
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelserver.models.datatypes import Array

NUMBERS = {bool, int, float}
# Up to so many numbers, Python is quicker than NumPy has begun.
FEW = 64
FEW_ROWS = 4


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it: at `place` the answers are not the same, and `what` is there instead, if they are not.

    `difference` is the largest one of any two numbers, as a part of the expected one, or of 1 where that is less:
    so it is absolute for probabilities, and relative for amounts. It is infinite where a number met none.
    """

    difference: float = 0.0
    what: str = ""
    place: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the answers say the same."""
        return not self.what

    @property
    def fault(self) -> str:
        """What is not the same, and where; empty where all is."""
        return f"{self.place or 'it'} {self.what}" if self.what else ""


ALIKE = Comparison()


def compare(expected: object, got: object, tolerance: float) -> Comparison:
    """Compares two answers, as JSON or NumPy hold them. Members that only `got` has are ignored,
    and so are items of lists whose items have names.

    Floats may differ by `tolerance` in the sense of `Comparison.difference`, and NaN equals NaN.
    """
    if isinstance(expected, Mapping):
        return _members(expected, got, tolerance)
    if type(expected) in NUMBERS and type(got) in NUMBERS:
        return _near_number(expected, got, tolerance)  # type: ignore[arg-type]  # of one of these types
    if isinstance(expected, list):
        return _lists(expected, got, tolerance)
    if found := _near_arrays(expected, got, tolerance):
        return found
    return ALIKE if _is_same(expected, got) else _unlike(expected, got)


def _members(expected: Mapping[str, Any], got: object, tolerance: float) -> Comparison:
    if not isinstance(got, Mapping):
        return _unlike(expected, got)
    if missing := [name for name in expected if name not in got]:
        return Comparison(inf, "is missing", missing[0])
    return _worst((name, compare(value, got[name], tolerance)) for name, value in expected.items())


def _lists(expected: list[Any], got: object, tolerance: float) -> Comparison:
    if _are_few(expected, got):
        return _near_few(expected, got, tolerance)  # type: ignore[arg-type]  # that is what they are
    if not _are_few_rows(expected) and (found := _near_arrays(expected, got, tolerance)):
        return found
    return _items(expected, got, tolerance)


def _items(expected: list[Any], got: object, tolerance: float) -> Comparison:
    """Compares item by item; those that have names, as tensors have, are found by them in any order."""
    names = _names(expected)
    if isinstance(got, list) and names and len({*names}) == len(expected):
        named = {item["name"]: item for item in got if _names([item])}
        got = [named.get(name) for name in names]
    if not isinstance(got, list) or len(expected) != len(got):
        return _unlike(expected, got)
    return _worst((index, compare(*pair, tolerance)) for index, pair in enumerate(zip(expected, got, strict=True)))


def _names(items: list[Any]) -> list[str]:
    names = (item.get("name") for item in items if isinstance(item, Mapping))
    return [name for name in names if isinstance(name, str)]


def _are_few(expected: list[Any], got: object) -> bool:
    """Whether they are as many numbers in a list, and few."""
    if not isinstance(got, list) or not 0 < len(expected) == len(got) <= FEW:
        return False
    return {*map(type, expected), *map(type, got)} <= NUMBERS


def _are_few_rows(values: list[Any]) -> bool:
    return 0 < len(values) <= FEW_ROWS and isinstance(values[0], list)


def _near_number(expected: float, got: float, tolerance: float) -> Comparison:
    if expected == got:
        return ALIKE
    found = _apart(expected, got)
    if found <= (tolerance if float in (type(expected), type(got)) else 0):
        return Comparison(found)
    return _unlike(expected, got, difference=found)


def _near_few(expected: list[float], got: list[float], tolerance: float) -> Comparison:
    if expected == got:
        return ALIKE
    found = [*map(_apart, expected, got)]
    largest = max(found)
    if largest <= (tolerance if float in {*map(type, expected), *map(type, got)} else 0):
        return Comparison(largest)
    at = found.index(largest)
    return _unlike(expected[at], got[at], f"[{at}]", largest)


def _apart(expected: float, got: float) -> float:
    if expected == got or (expected != expected and got != got):  # noqa: PLR0124  # both are NaN
        return 0.0
    try:
        found = abs(expected - got) / max(1, abs(expected))
    except OverflowError:
        return inf
    return found if found == found else inf  # noqa: PLR0124


def _near_arrays(expected: object, got: object, tolerance: float) -> Comparison | None:
    """How arrays of numbers are beside each other; None where they are not both."""
    ours, theirs = _numbers(expected), _numbers(got)
    return None if ours is None or theirs is None else _near(ours, theirs, tolerance)


def _near(expected: Array, got: Array, tolerance: float) -> Comparison:
    if expected.shape != got.shape:
        return Comparison(inf, f"has the shape {got.shape} instead of {expected.shape}")
    if not expected.size:
        return ALIKE
    differences = _differences(expected, got)
    at = np.unravel_index(int(differences.argmax()), differences.shape)
    largest = float(differences[at])
    if largest <= (tolerance if "f" in (expected.dtype.kind, got.dtype.kind) else 0):
        return Comparison(largest)
    place = "".join(f"[{index}]" for index in at)
    return _unlike(expected[at].item(), got[at].item(), place, largest)


def _differences(expected: Array, got: Array) -> Array:
    ours, theirs = expected.astype(np.float64), got.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        is_same = (expected == got) | (np.isnan(ours) & np.isnan(theirs))
        found = np.where(is_same, 0.0, np.abs(ours - theirs) / np.maximum(1.0, np.abs(ours)))
    # Large whole numbers may be alike as floats only.
    found[~is_same & (found == 0)] = np.finfo(np.float64).eps
    return np.nan_to_num(found, copy=False, nan=inf, posinf=inf)


def _numbers(value: object) -> Array | None:
    """The numbers that `value` is, or that lists hold in as many dimensions as they have; None for others."""
    if isinstance(value, list):
        return _listed(value)
    if type(value) not in NUMBERS and not isinstance(value, np.ndarray | np.generic):
        return None
    found = np.asarray(value)
    return found if found.dtype.kind in "biuf" else None


def _listed(values: list[Any]) -> Array | None:
    """NumPy itself would make texts of numbers beside texts, each as long as the longest."""
    shape = [len(values)]
    while values and type(values[0]) is list:
        if {*map(type, values)} != {list} or {*map(len, values)} != {len(values[0])}:
            return None
        shape.append(len(values[0]))
        values = list(chain.from_iterable(values))
    if not {*map(type, values)} <= NUMBERS:
        return None
    try:
        found = np.array(values).reshape(shape)
    except (ValueError, OverflowError):  # of too many dimensions
        return None
    return found if found.dtype.kind in "biuf" else None


def _is_same(expected: object, got: object) -> bool:
    if isinstance(expected, np.ndarray) or isinstance(got, np.ndarray):
        return np.array_equal(np.asarray(expected), np.asarray(got))
    return expected == got


def _worst(found: Iterable[tuple[str | int, Comparison]]) -> Comparison:
    """The first fault, with the largest difference of all."""
    difference, first, place = 0.0, ALIKE, ""
    for key, each in found:
        difference = max(difference, each.difference)
        if each.what and not first.what:
            first, place = each, _path(key, each.place)
    return Comparison(difference, first.what, place) if difference or first.what else ALIKE


def _unlike(expected: object, got: object, place: str = "", difference: float = inf) -> Comparison:
    return Comparison(difference, f"is {shortened(got)} instead of {shortened(expected)}", place)


def _path(key: str | int, within: str) -> str:
    """`within` what is called `key`, or has that number in a list."""
    place = key if isinstance(key, str) else f"[{key}]"
    return f"{place}.{within}" if within and not within.startswith("[") else place + within
