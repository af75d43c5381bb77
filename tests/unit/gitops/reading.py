"""What holds for every status that the operator writes, however it came to it."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from modelfleet.cli.refusal import Refused
from modelfleet.cli.verbs import VERBS
from modelfleet.core.commands import OF_A_STEP, read_commands
from modelfleet.core.conditions import find
from modelfleet.core.manifest import Manifest, dig
from tests.support.argocd import acted, enabled, health
from tests.support.kstatus import kstatus_of

MEANS = {
    "Healthy": {"Current"},
    "Progressing": {"InProgress"},
    "Suspended": {"InProgress"},
    "Degraded": {"Failed", "InProgress"},
}
"""What kstatus may make of what Argo CD calls so."""


def assert_understood(body: dict[str, Any]) -> None:
    """The conditions are as kstatus wants them, and no two readers contradict each other."""
    body = copy.deepcopy(body)
    body["metadata"].pop("deletionTimestamp", None)
    _check_conditions(body["status"])
    if body["status"]["observedGeneration"] == body["metadata"]["generation"]:
        _check_judgements(body)
    body["metadata"]["generation"] += 100
    assert (kstatus_of(body), health(body)[0]) == ("InProgress", "Progressing"), "an edit was not waited for"
    body["metadata"]["deletionTimestamp"] = "2025-11-22T13:00:00Z"
    assert kstatus_of(body) == "Terminating"


def _check_conditions(status: dict[str, Any]) -> None:
    conditions, seen = status["conditions"], status["observedGeneration"]
    kinds = [condition["type"] for condition in conditions]
    assert len(set(kinds)) == len(kinds)
    assert {condition["observedGeneration"] for condition in conditions} == {seen}
    ready = find(conditions, "Ready")
    unsettled = [c for c in conditions if c["type"] in {"Reconciling", "Stalled"}]
    assert len(unsettled) == (ready["status"] != "True"), "exactly one of Reconciling and Stalled, unless Ready"
    for condition in unsettled:
        assert (condition["status"], condition["reason"]) == ("True", ready["reason"])


def _check_judgements(body: dict[str, Any]) -> None:
    status, (judged, message) = body["status"], health(body)
    read, phase, reason = kstatus_of(body), status["phase"], find(status["conditions"], "Ready")["reason"]
    assert message == status["message"]
    assert read in MEANS[judged], status
    assert (judged == "Healthy") == (phase == "Healthy"), status
    assert (judged == "Degraded") == (phase == "Degraded"), status
    waits_for_somebody = reason in {"ApprovalNeeded", "Frozen", "Paused"}
    assert (judged == "Suspended") == (waits_for_somebody and phase != "Degraded"), status
    assert (read == "Failed") == bool(find(status["conditions"], "Stalled")), status


def assert_offered(body: dict[str, Any]) -> None:
    """Argo CD offers what the command does not refuse, and each action does what the command does."""
    assert enabled(body) == {verb: _patch(body, verb) is not None for verb in VERBS}, body["status"]
    for verb in VERBS:
        if patch := _patch(body, verb):
            _check_action(body, verb, patch)


def _patch(body: dict[str, Any], verb: str) -> Manifest | None:
    """What `modelfleet VERB` would send; None where it sends nothing."""
    try:
        return VERBS[verb](body, datetime(2025, 11, 22, 13, tzinfo=UTC)).patch or None
    except Refused:
        return None


def _check_action(body: dict[str, Any], verb: str, patch: Manifest) -> None:
    after, expected = acted(body, verb), copy.deepcopy(body)
    if verb in {"pause", "resume"}:
        expected["spec"]["rollout"]["paused"] = patch["spec"]["rollout"]["paused"]
    else:
        value = dig(after, "metadata", "annotations", f"modelfleet.dev/{verb}")
        _check_command(after, verb, value, dig(patch, "metadata", "annotations", f"modelfleet.dev/{verb}"))
        expected["metadata"].setdefault("annotations", {})[f"modelfleet.dev/{verb}"] = value
    assert after == expected, "something else was changed"


def _check_command(after: dict[str, Any], verb: str, value: str, told: str) -> None:
    """The step is the same, and what only makes a value new has to be so."""
    (revision, _, detail), (meant, _, step) = value.partition(":"), told.partition(":")
    assert revision == meant
    assert detail == step if verb in OF_A_STEP else detail.isdecimal()
    assert read_commands(after).asks(verb, revision, int(step) if verb in OF_A_STEP and step else 0)
