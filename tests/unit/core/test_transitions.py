"""Events tell of changes: one for each, and none for looking again."""

import dataclasses
from datetime import UTC, datetime, timedelta

from modelfleet.core.api import ModelDeployment
from modelfleet.core.registered import Resolved
from modelfleet.core.status import Transition, status_of, transitions
from tests.unit.core.situations import SITUATIONS, Situation, in_every_situation

MOMENT = datetime(2025, 11, 22, 13, tzinfo=UTC)


def step(of: ModelDeployment, situation: Situation, minute: int = 0) -> tuple[ModelDeployment, list[Transition]]:
    """Reconcile once: the ModelDeployment with its new status, and the Events on the way."""
    moment = MOMENT + timedelta(minutes=minute)
    status = status_of(Resolved(of), situation.observed, situation.problem, moment)
    return dataclasses.replace(of, status=status), list(transitions(of, status))


@in_every_situation
def test_a_situation_is_told_once(situation: Situation) -> None:
    of, first = step(situation.owner, situation)
    assert [change.reason for change in first] == [
        reason for reason in [situation.reason] if reason != "RollingOut"
    ]
    for minute in range(1, 4):
        of, more = step(of, situation, minute)
        assert more == []


@in_every_situation
def test_only_trouble_is_a_warning(situation: Situation) -> None:
    of, _ = step(situation.owner, SITUATIONS["an error that passes"])
    _, changes = step(of, situation)
    calm = situation.ready or situation.reason in {"Creating", "RollingOut", "Scaling"}
    expected = "Normal" if calm else "Warning"
    assert {change.type for change in changes} <= {expected}


def test_a_rollout_is_told_from_its_start_to_its_end() -> None:
    of = SITUATIONS["nothing exists yet"].owner
    told = []
    for name in (
        "nothing exists yet",
        "just created",
        "the first pods start",
        "all pods are ready but not for long enough",
        "all pods serve",
        "a pod was lost after it was complete, and the rest serve",
        "all pods serve",
    ):
        of, changes = step(of, SITUATIONS[name])
        told += [(change.type, change.reason) for change in changes]
    assert told == [
        ("Normal", "Creating"),
        ("Normal", "RollingOut"),
        ("Normal", "Serving"),
        ("Warning", "OutOfMemory"),
        ("Normal", "Serving"),
    ]


def test_an_event_carries_the_message_of_the_condition() -> None:
    of, changes = step(SITUATIONS["a pod fails for good"].owner, SITUATIONS["a pod fails for good"])
    assert [change.note for change in changes] == [of.status["message"]]
