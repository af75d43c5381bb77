"""Whatever reason a person may read in a condition stands in docs/status.md, with what to do."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modelfleet.aml.refusals import _ABSENT
from modelserver import errors as server_errors
from modelserver.fetch import errors as fetch_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
OPERATOR = REPOSITORY / "operator" / "modelfleet"
PAGE = (REPOSITORY / "docs" / "status.md").read_text()
POSITION = {
    "Cause": 0,
    "Terminal": 0,
    "Forbidden": 0,
    "Invalid": 0,
    "NotFound": 0,
    "Unsupported": 0,
    "Verdict": 3,
    "Waiting": 0,
    "Failure": 0,
}
"""Which argument of what the operator says trouble with is the reason."""
WORD = re.compile(r"[A-Z][A-Za-z]+")


def reasons_of_calls() -> Iterator[str]:
    """The reasons that are written out where something is said to be wrong, or well."""
    for path in OPERATOR.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield from filter(WORD.fullmatch, constants_of(node))


def constants_of(call: ast.Call) -> Iterator[str]:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    position = POSITION.get(name, len(call.args))
    given = [*call.args[position : position + 1], *(word.value for word in call.keywords if word.arg == "reason")]
    for value in given:
        yield from (n.value for n in ast.walk(value) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def leaves(kind: type) -> Iterator[str]:
    """The names of the errors of a tree that nothing is derived from: those are the reasons."""
    below: list[type] = kind.__subclasses__()
    yield from (name for child in below for name in leaves(child)) if below else [kind.__name__]


REASONS = {
    *reasons_of_calls(),
    *(reason for reason, _ in _ABSENT.values()),
    *leaves(fetch_errors.FetchError),
    server_errors.ModelInvalid.__name__,
}


@pytest.mark.parametrize("reason", sorted(REASONS))
def test_each_reason_is_explained(reason: str) -> None:
    assert f"`{reason}`" in PAGE


def test_the_reasons_are_found_at_all() -> None:
    assert {"Serving", "AzureThrottled", "ModelFileAmbiguous", "NameConflict", "VolumeFull"} <= REASONS
