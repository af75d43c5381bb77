"""Conditions say the same thing to people, kubectl wait, Flux and Argo CD."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modelfleet.core.conditions import MESSAGE_LIMIT, Verdict, conditions, find, timestamp
from tests.support.kstatus import kstatus

NOW = datetime(2025, 11, 22, 13, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)

SERVING = Verdict(True, True, False, "Serving", "It serves.")
ROLLING = Verdict(False, True, False, "RollingOut", "1 of 2.")
STALLED = Verdict(False, True, True, "ChecksumMismatch", "It is another one.")

verdicts = st.builds(
    Verdict,
    ready=st.booleans(),
    available=st.booleans(),
    stalled=st.booleans(),
    reason=st.sampled_from(["Serving", "RollingOut", "ModelNotFound"]),
    message=st.text(max_size=20),
    degraded=st.booleans(),
)


def seen(verdict: Verdict, previous: Any = (), generation: int = 1, now: datetime = NOW) -> list[Any]:
    return list(conditions(verdict, None, list(previous), generation, now))


def test_a_resource_that_serves_is_ready_and_available_and_nothing_else() -> None:
    assert seen(SERVING, generation=4) == [
        {
            "type": "Ready",
            "status": "True",
            "observedGeneration": 4,
            "lastTransitionTime": "2025-11-22T13:00:00Z",
            "reason": "Serving",
            "message": "It serves.",
        },
        {
            "type": "Available",
            "status": "True",
            "observedGeneration": 4,
            "lastTransitionTime": "2025-11-22T13:00:00Z",
            "reason": "PodsAvailable",
            "message": "At least one pod answers requests.",
        },
    ]


@given(verdicts, verdicts)
def test_while_not_ready_exactly_one_of_reconciling_and_stalled_is_there_and_true(
    before: Verdict, verdict: Verdict
) -> None:
    found = {
        c["type"]: c["status"] for c in seen(verdict, seen(before)) if c["type"] in {"Reconciling", "Stalled"}
    }
    expected = {} if verdict.ready else {"Stalled" if verdict.stalled else "Reconciling": "True"}
    assert found == expected


@given(verdicts, verdicts, st.integers(1, 9))
def test_kstatus_comes_to_the_same_judgement(before: Verdict, verdict: Verdict, generation: int) -> None:
    status = {"observedGeneration": generation, "conditions": seen(verdict, seen(before), generation)}
    expected = "Current" if verdict.ready else "Failed" if verdict.stalled else "InProgress"
    assert kstatus(generation, status) == expected
    assert kstatus(generation + 1, status) == "InProgress"


@given(verdicts, verdicts)
def test_a_transition_time_moves_only_with_the_status(before: Verdict, verdict: Verdict) -> None:
    old = seen(before)
    for condition in seen(verdict, old, generation=2, now=LATER):
        same = find(old, condition["type"]).get("status") == condition["status"]
        assert condition["lastTransitionTime"] == timestamp(NOW if same else LATER)


@given(verdicts, st.integers(1, 9))
def test_each_condition_names_the_generation_that_it_is_about(verdict: Verdict, generation: int) -> None:
    assert {c["observedGeneration"] for c in seen(verdict, seen(SERVING), generation)} == {generation}


@given(verdicts)
def test_the_same_verdict_again_changes_nothing(verdict: Verdict) -> None:
    once = seen(verdict)
    assert seen(verdict, once, now=LATER) == once


def test_reason_and_message_are_those_of_the_verdict_wherever_it_shows() -> None:
    found = {c["type"]: (c["reason"], c["message"]) for c in seen(STALLED)}
    assert found["Ready"] == found["Stalled"] == (STALLED.reason, STALLED.message)
    assert seen(ROLLING)[2]["type"] == "Reconciling"


def test_a_message_of_any_length_is_cut() -> None:
    verdict = Verdict(False, False, False, "PodsRejected", "x" * 5000)
    assert {len(c["message"]) for c in seen(verdict) if c["type"] != "Available"} == {MESSAGE_LIMIT}


def test_the_phase_is_degraded_where_a_person_has_to_look() -> None:
    assert SERVING.phase == "Healthy"
    assert ROLLING.phase == "Progressing"
    assert STALLED.phase == "Degraded"
    assert Verdict(False, False, False, "RollingOut", "", degraded=True).phase == "Degraded"


def test_a_missing_condition_is_found_empty() -> None:
    assert find([], "Ready") == {}
