"""Another model.file for a recorded version: its record refuses what it has not, unless Azure knows better."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelfleet.aml.answers import Answer
from modelfleet.core.api import ModelDeployment
from modelfleet.core.diagnosis import Cause
from modelfleet.core.errors import Invalid
from modelfleet.core.observed import Observed
from modelfleet.core.registered import is_resolved
from modelfleet.reconcile.resolve import resolve
from tests.unit.reconcile.test_resolve import (
    DOWN,
    GONE,
    HOME,
    PENDING,
    REGISTRY,
    Table,
    address,
    after,
    applied,
    claims,
    deployment,
    failed,
    found,
    known,
    recorded,
)

NAMES = ("a.onnx", "more/b.onnx")
MISSING = "The model has no file c.onnx; write one of these in model.file: a.onnx, more/b.onnx."
REFUSED = Cause("ModelFileMissing", MISSING, stalled=True)


def asking(file: str, version: str = "3", place: Any = HOME, names: tuple[str, ...] = NAMES) -> ModelDeployment:
    """A ModelDeployment that asks for that file of a version which is recorded with these."""
    answers = {
        "latest claims": known("3"),
        "claims 3": known(replace(found("3", place=place), onnxFiles=names)),
        "signed claims 3": known(address("3")),
    }
    status = recorded(claims(version, place), answers).status
    model = {"name": "claims", "version": version, **({"file": file} if file else {})}
    return replace(deployment(model, workspace=place), status=status)


@pytest.mark.parametrize("place", [HOME, REGISTRY])
@pytest.mark.parametrize("version", ["3", "latest"])
@pytest.mark.parametrize("answer", [PENDING, failed(DOWN), failed(GONE)])
def test_a_file_that_is_not_in_the_record_is_refused_at_once(
    place: Any, version: str, answer: Answer[Any]
) -> None:
    of = asking("c.onnx", version, place)
    table = Table({"latest claims": known("3"), "claims 3": answer, "signed claims 3": known(address("3"))})
    resolved = resolve(table, of, Observed())
    assert (resolved.problem, is_resolved(resolved.owner)) == (REFUSED, False)
    assert after(resolved, of).status["models"] == of.status["models"]
    assert "claims 3" in table.asked  # or a file that is added to the version would never be found


def test_no_file_is_refused_where_there_are_several_to_choose_from() -> None:
    refusal = resolve(Table(), asking("", names=("a.onnx", "b.onnx")), Observed()).problem
    assert refusal
    assert (refusal.reason, refusal.stalled) == ("ModelFileAmbiguous", True)


@pytest.mark.parametrize("file", ["", *NAMES])
def test_a_file_that_is_in_the_record_is_served_and_nothing_is_asked(file: str) -> None:
    resolved = resolve(table := Table(), asking(file), Observed())
    assert (resolved.problem, table.asked) == (None, [])
    assert resolved.owner.spec.models[0].file == file


@pytest.mark.parametrize("version", ["3", "latest"])
def test_a_file_that_was_added_since_is_served(version: str) -> None:
    added = replace(found("3", digest="cd"), onnxFiles=(*NAMES, "c.onnx"))
    table = Table({"latest claims": known("3"), "claims 3": known(added)})
    resolved = resolve(table, asking("c.onnx", version), Observed())
    assert (resolved.problem, resolved.trouble, resolved.models) == (None, None, {"claims": added})


def test_what_azure_finds_there_now_is_what_the_refusal_says() -> None:
    now = Invalid("ModelFileMissing", "The model has no file c.onnx; write one of these in model.file: new.onnx.")
    resolved = resolve(Table({"claims 3": failed(now)}), asking("c.onnx"), Observed())
    assert resolved.problem == Cause(now.reason, now.message, stalled=True)


def test_under_latest_the_version_before_is_not_kept_for_a_file_that_it_has_not() -> None:
    table = Table({"latest claims": known("4"), "claims 4": failed(DOWN)})
    resolved = resolve(table, asking("c.onnx", "latest"), Observed())
    assert (resolved.problem and resolved.problem.reason, resolved.models) == ("AzureTimeout", {})
    kept = resolve(table, asking("a.onnx", "latest"), Observed())
    assert (kept.problem, kept.models["claims"].version) == (None, "3")


def test_neither_is_it_kept_while_the_new_version_of_a_registry_has_no_address() -> None:
    newer = {"latest claims": known("4"), "claims 4": known(found("4", place=REGISTRY))}
    table = Table(newer | {"signed claims 4": failed(DOWN)})
    for file, problem in (("c.onnx", "AzureTimeout"), ("a.onnx", None)):
        resolved = resolve(table, asking(file, "latest", REGISTRY), applied("3"))
        assert (resolved.problem and resolved.problem.reason) == problem


def test_where_an_older_operator_recorded_no_names_the_server_judges() -> None:
    resolved = resolve(table := Table(), asking("c.onnx", names=()), Observed())
    assert (resolved.problem, table.asked) == (None, [])
