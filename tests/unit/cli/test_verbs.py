"""Which annotation a command sets, and when there is nothing to ask for."""

from typing import Any

import pytest

from modelfleet.cli.refusal import Refused
from modelfleet.cli.verbs import VERBS, Request
from modelfleet.core.commands import read_commands
from modelfleet.core.rollout import read_rollout
from tests.unit.cli import states
from tests.unit.cli.states import NEW, NOW, OLD, annotated, claims, rollout, waiting

STAMP = "20251122T130000Z"
STUCK = claims("Degraded", "FetchFailed", "", rollout=rollout(), waitingFor=waiting("FetchFailed"))
FROZEN_STEP = claims("Waiting", "Frozen", "", rollout=rollout(step=2), waitingFor=waiting("Frozen"))
HELD_LATE = {
    **states.HELD,
    "status": {
        **states.HELD["status"],
        "rollout": rollout("Promoting", failure={"reason": "ProgressDeadlineExceeded", "message": "Late."}),
    },
}


def asked(verb: str, body: dict[str, Any]) -> Request:
    return VERBS[verb](body, NOW)


def refused(verb: str, body: dict[str, Any]) -> str:
    with pytest.raises(Refused) as refusal:
        asked(verb, body)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("verb", "body", "value"),
    [
        ("approve", states.UNAPPROVED, f"{NEW}:1"),
        ("approve", states.IN_REGIONS, f"{NEW}:rest"),
        ("promote", states.PILOT_UNDER_WAY, f"{NEW}:1"),
        ("abort", states.PILOT_UNDER_WAY, f"{NEW}:{STAMP}"),
        ("promote", states.UNAPPROVED, f"{NEW}:1"),
        ("promote", states.RUNNING, f"{NEW}:1"),
        ("promote", states.INCONCLUSIVE, f"{NEW}:2"),
        ("promote", FROZEN_STEP, f"{NEW}:2"),
        ("promote", states.STARTING, f"{NEW}:1"),
        ("promote", STUCK, f"{NEW}:1"),
        ("promote", states.BAKING, f"{NEW}:0"),
        ("promote", states.HELD, f"{NEW}:1"),
        ("promote", HELD_LATE, f"{NEW}:0"),
        ("abort", states.STARTING, f"{NEW}:{STAMP}"),
        ("abort", states.RUNNING, f"{NEW}:{STAMP}"),
        ("abort", states.PROMOTING, f"{NEW}:{STAMP}"),
        ("abort", states.BAKING, f"{NEW}:{STAMP}"),
        ("abort", states.HELD, f"{NEW}:{STAMP}"),
        ("retry", states.BACK, f"{NEW}:{STAMP}"),
        ("retry", states.GOING_BACK, f"{NEW}:{STAMP}"),
        ("retry", states.HELD, f"{NEW}:{STAMP}"),
    ],
)
def test_a_command_names_the_revision_and_what_makes_it_new(verb: str, body: dict[str, Any], value: str) -> None:
    assert asked(verb, body).patch == {"metadata": {"annotations": {f"modelfleet.dev/{verb}": value}}}


@pytest.mark.parametrize("body", [states.RUNNING, states.INCONCLUSIVE, states.BAKING, states.HELD])
@pytest.mark.parametrize("verb", ["promote", "abort"])
def test_the_operator_takes_it_for_what_is_meant(verb: str, body: dict[str, Any]) -> None:
    annotations = asked(verb, body).patch["metadata"]["annotations"]
    found = read_rollout(body["status"])
    assert found
    given = read_commands({**body, "metadata": {**body["metadata"], "annotations": annotations}})
    assert given.asks(verb, found.revision, found.number)


@pytest.mark.parametrize("verb", ["abort", "retry"])
def test_what_was_asked_before_can_be_asked_again(verb: str) -> None:
    value = f"{NEW}:20251122T125959Z"
    done = {**states.HELD, "status": {**states.HELD["status"], "commands": {verb: value}}}
    annotations = asked(verb, annotated(done, **{verb: value})).patch["metadata"]["annotations"]
    assert read_commands({**done, "metadata": {"annotations": annotations}}).asks(verb, NEW)


def test_a_step_that_was_promoted_once_can_be_promoted_after_a_retry() -> None:
    done = {**states.RUNNING, "status": {**states.RUNNING["status"], "commands": {"promote": f"{NEW}:1"}}}
    annotations = asked("promote", annotated(done, promote=f"{NEW}:1")).patch["metadata"]["annotations"]
    assert read_commands({**done, "metadata": {"annotations": annotations}}).asks("promote", NEW, 1)


@pytest.mark.parametrize(
    ("verb", "body", "sentence"),
    [
        (
            "promote",
            states.HEALTHY,
            "There is nothing to promote: no rollout of claims is under way. It is Healthy:",
        ),
        (
            "promote",
            states.BACK,
            "There is nothing to promote: no rollout of claims is under way. It is Degraded:",
        ),
        ("promote", states.PROMOTING, "There is nothing to promote: all pods of claims are being replaced."),
        ("promote", states.GOING_BACK, "There is nothing to promote: claims is going back already."),
        ("promote", states.NEVER_SEEN, "The operator has not looked at it yet."),
        ("promote", states.PLAIN, "Without spec.rollout a change is made at once."),
        ("approve", states.HEALTHY, "There is nothing to approve: no rollout of claims is under way."),
        ("approve", states.RUNNING, "no step of claims waits for a person, nor will this one."),
        ("approve", states.PROMOTING, "no step of claims waits for a person"),
        ("abort", states.HEALTHY, "There is nothing to abort: no rollout of claims is under way."),
        ("abort", states.PAUSED, "There is nothing to abort: no rollout of claims is under way. It is Paused:"),
        ("abort", states.GOING_BACK, "There is nothing to abort: claims is going back already."),
        (
            "retry",
            states.HEALTHY,
            "There is nothing to retry: the revision that claims asks for was not rejected.",
        ),
        (
            "retry",
            states.RUNNING,
            "There is nothing to retry: the revision that claims asks for was not rejected.",
        ),
        ("retry", states.NEVER_SEEN, "There is nothing to retry"),
        ("pause", states.PLAIN, "claims has no spec.rollout, so its changes have no steps that could be held up."),
        ("resume", states.PLAIN, "claims has no spec.rollout"),
    ],
)
def test_what_makes_no_sense_now_is_refused_with_the_state(verb: str, body: dict[str, Any], sentence: str) -> None:
    assert sentence in refused(verb, body)


def test_a_revision_that_was_rejected_but_is_no_longer_asked_for_is_not_retried() -> None:
    moved = {**states.BACK, "status": {**states.BACK["status"], "revision": OLD}}
    assert "was not rejected" in refused("retry", moved)


@pytest.mark.parametrize(("verb", "body"), [("pause", states.HEALTHY), ("resume", states.PAUSED)])
def test_pause_and_resume_edit_the_spec_and_remind_of_git(verb: str, body: dict[str, Any]) -> None:
    request = asked(verb, body)
    assert request.patch == {"spec": {"rollout": {"paused": verb == "pause"}}}
    assert "Where Git holds the resource, write spec.rollout.paused" in request.sentence


@pytest.mark.parametrize(("verb", "body"), [("pause", states.PAUSED), ("resume", states.HEALTHY)])
def test_what_is_so_already_is_not_written_again(verb: str, body: dict[str, Any]) -> None:
    request = asked(verb, body)
    assert request.patch == {}
    assert request.sentence.endswith("already.")


def test_what_was_asked_for_is_said() -> None:
    assert asked("promote", states.RUNNING).sentence == (
        "Asked to promote step 1 of 2 of the rollout of revision 9b0c1d2e3f of claims, without waiting any longer."
    )
    assert asked("promote", states.STARTING).sentence.endswith(" of claims, as soon as its pods are ready.")
    assert asked("abort", states.BAKING).sentence == (
        "Asked to abort the rollout of revision 9b0c1d2e3f of claims and go back to revision 3fa1c2d4e5."
    )
    assert asked("retry", states.BACK).sentence == "Asked to try revision 9b0c1d2e3f of claims again."
