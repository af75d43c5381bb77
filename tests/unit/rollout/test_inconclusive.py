"""Where the analysis cannot decide nothing is decided: the step holds, and then a person is asked."""

from typing import Any

import pytest

from tests.support.pretend_cluster import PretendCluster, cluster

ROLLOUT: dict[str, Any] = {
    "canary": {"steps": [20, 50], "pause": "1m"},
    "analysis": {"maxErrorRate": "1%", "minRequests": 200},
    "progressDeadline": "10m",
}


def held(*, measured: bool) -> PretendCluster:
    """A cluster whose canary has too few requests, or none that could be counted."""
    c = cluster(**ROLLOUT)
    c.is_measured, c.requests_per_s = measured, 100 if not measured else 0
    c.write("2")
    c.run(120)
    return c


@pytest.mark.parametrize("measured", [True, False])
def test_a_step_that_cannot_be_judged_holds_and_asks_a_person_after_the_deadline(measured: bool) -> None:
    c = held(measured=measured)
    assert (c.reason, c.step, c.is_stalled) == ("AnalysisInconclusive", 1, False)
    assert "until" in c.status["waitingFor"]
    c.run(600)
    assert (c.reason, c.step, c.is_stalled) == ("AnalysisInconclusive", 1, True)
    assert c.status["waitingFor"]["hint"] == "modelfleet promote claims -n ml"
    c.run(3600)
    assert (c.reason, c.step, c.rejected) == ("AnalysisInconclusive", 1, [])


def test_promote_goes_on_with_the_next_step() -> None:
    c = held(measured=True)
    c.command("promote", f"{c.target}:1")
    c.run()
    assert (c.phase, c.step) == ("Canary", 2)


def test_it_goes_on_by_itself_when_requests_come() -> None:
    c = held(measured=True)
    c.run(1200)
    c.requests_per_s = 100
    c.run(1200)
    assert c.results[0] == (c.target, "Succeeded")


def test_counters_that_can_be_read_again_are_compared_over_a_whole_new_window() -> None:
    c = held(measured=False)
    c.is_measured = True
    c.run(30)
    assert c.reason == "CanaryRunning"
    begun = c.now
    c.run_until(lambda: c.step == 2)
    assert 30 <= (c.now - begun).total_seconds() <= 61


def test_errors_that_are_seen_late_fail_it_all_the_same() -> None:
    c = held(measured=True)
    c.controller.behaviour(c.target).error_rate = 0.5
    c.requests_per_s = 100
    c.run(180)
    assert c.rejected == [c.target]
