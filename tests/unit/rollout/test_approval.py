"""With approval a step that has passed waits for a person, for as long as it takes."""

from typing import Any

from tests.support.pretend_cluster import PretendCluster, cluster

ANALYSIS = {"maxErrorRate": "1%", "minRequests": 200}


def careful(**rollout: Any) -> PretendCluster:
    """A canary whose first step has begun."""
    c = cluster(canary={"steps": [20, 50], "pause": "2m", "approval": True}, **rollout)
    c.write("2")
    c.run_until(lambda: c.reason == "CanaryRunning")
    return c


def test_each_step_waits_for_a_person_when_it_is_over() -> None:
    c = careful(analysis=ANALYSIS)
    c.run(3600)
    assert (c.reason, c.step, c.is_stalled) == ("ApprovalNeeded", 1, False)
    assert c.status["phase"] == "Waiting"
    assert c.status["waitingFor"]["hint"] == "modelfleet approve claims -n ml"
    c.command("approve", f"{c.target}:1")
    c.run(3600)
    assert (c.reason, c.step) == ("ApprovalNeeded", 2)
    c.command("approve", f"{c.target}:2")
    c.run(300)
    assert c.results[0] == (c.target, "Succeeded")


def test_a_wait_for_a_person_writes_nothing() -> None:
    c = careful(analysis=ANALYSIS)
    c.run(300)
    before = len(c.writes)
    c.run(3600)
    assert c.writes[before:] == []


def test_what_is_approved_early_goes_on_when_it_has_passed_and_not_before() -> None:
    c = careful(analysis=ANALYSIS)
    c.command("approve", f"{c.target}:1")
    c.run(100)
    assert (c.reason, c.step) == ("CanaryRunning", 1)
    c.run(60)
    assert c.step == 2
    c.run(3600)
    assert (c.reason, c.step) == ("ApprovalNeeded", 2)


def test_approval_of_another_revision_or_step_does_nothing() -> None:
    c = careful()
    old = c.status["rollout"]["previous"]
    for value in (f"{old}:1", f"{c.target}:2", f"{c.target}:x"):
        c.command("approve", value)
        c.run(600)
        assert (c.reason, c.step) == ("ApprovalNeeded", 1)


def test_approval_does_not_make_good_what_cannot_be_judged() -> None:
    c = careful(analysis=ANALYSIS)
    c.requests_per_s = 0
    c.command("approve", f"{c.target}:1")
    c.run(600)
    assert (c.reason, c.step) == ("AnalysisInconclusive", 1)


def test_a_canary_that_turns_bad_while_it_waits_for_a_person_goes_back() -> None:
    c = careful(analysis=ANALYSIS)
    c.run(600)
    assert c.reason == "ApprovalNeeded"
    c.controller.behaviour(c.target).error_rate = 0.5
    c.run(3600)
    assert c.rejected == [c.target]


def test_promote_ends_the_wait_for_a_person_too() -> None:
    c = careful()
    c.run(600)
    c.command("promote", f"{c.target}:1")
    c.run(60)
    assert c.step == 2


def test_an_approved_step_is_still_held_by_a_pause() -> None:
    c = careful()
    c.run(600)
    c.write(rollout={**c.body["spec"]["rollout"], "paused": True})
    c.command("approve", f"{c.target}:1")
    c.run(60)
    assert (c.reason, c.step) == ("Paused", 1)
    c.write(rollout={**c.body["spec"]["rollout"], "paused": False})
    c.run(60)
    assert c.step == 2


def test_a_step_that_passed_says_nothing_for_the_next_one() -> None:
    c = cluster(canary={"steps": [20, 50], "pause": "0s"}, analysis=ANALYSIS)
    c.write("2")
    c.run_until(lambda: c.step == 2)
    c.requests_per_s = 0
    c.run(600)
    assert (c.reason, c.step) == ("AnalysisInconclusive", 2)
