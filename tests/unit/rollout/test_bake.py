"""A bake is a time in which all pods have to be well; while one is missing its clock stands still."""

from datetime import timedelta
from typing import Any

from tests.support.pretend_cluster import PretendCluster, cluster

ANALYSIS = {"maxErrorRate": "1%", "minRequests": 200}


def baking(**rollout: Any) -> PretendCluster:
    """A cluster in which the bake of 10 minutes has just begun."""
    c = cluster(**{"bake": "10m", "progressDeadline": "5m", **rollout})
    c.write("2")
    c.run_until(lambda: c.phase == "Baking")
    return c


def test_the_clock_stands_still_while_a_pod_is_missing() -> None:
    c = baking()
    c.run(300)
    pod = c.break_pod()
    c.run(200)
    assert (c.phase, c.reason) == ("Baking", "Baking")
    assert c.status["rollout"]["bakedSeconds"] == 300
    c.mend_pod(pod)
    c.run(300)
    assert c.phase == "Baking"
    c.run(10)
    assert c.results[0] == (c.target, "Succeeded")


def test_several_troubles_are_added_up_and_each_has_the_whole_deadline() -> None:
    c = baking()
    for _ in range(3):
        c.run(100)
        pod = c.break_pod()
        c.run(290)
        c.mend_pod(pod)
        c.run(10)
    assert (c.phase, c.rejected) == ("Baking", [])
    c.run(310)
    assert c.results[0] == (c.target, "Succeeded")


def test_a_pod_that_is_missing_for_too_long_takes_the_revision_back() -> None:
    c = baking()
    c.break_pod()
    c.run(299)
    assert c.phase == "Baking"
    c.run(120)
    assert (c.reason, c.rejected) == ("RolledBack", [c.target])


def test_errors_in_the_bake_take_the_revision_back() -> None:
    c = baking(analysis=ANALYSIS)
    c.run(120)
    c.controller.behaviour(c.target).error_rate = 0.5
    c.run(480)
    assert c.rejected == [c.target]


def test_counters_that_cannot_be_read_neither_end_nor_fail_a_bake_early() -> None:
    c = baking(analysis=ANALYSIS)
    c.is_measured = False
    c.controller.behaviour(c.target).error_rate = 0.5
    c.run(599)
    assert (c.phase, c.rejected) == ("Baking", [])


def test_a_shorter_bake_holds_at_once() -> None:
    c = baking()
    c.run(300)
    c.write(rollout={"bake": "1m"})
    c.run()
    assert c.results[0] == (c.target, "Succeeded")


def test_more_replicas_in_the_bake_are_waited_for() -> None:
    c = baking()
    c.run(60)
    c.write(replicas=6)
    c.run(120)
    assert (c.phase, len(c.pods("stable"))) == ("Baking", 6)
    c.run(600)
    assert c.results[0] == (c.target, "Succeeded")


def test_what_is_tried_again_after_it_failed_bakes_for_the_whole_time() -> None:
    c = baking(analysis=ANALYSIS, onFailure="Pause")
    c.run(60)
    c.mend_pod(c.break_pod())
    c.run(300)
    c.controller.behaviour(c.target).error_rate = 0.9
    c.run(200)
    assert c.reason == "RolloutFailed"
    c.controller.behaviour(c.target).error_rate = 0
    c.command("retry", c.target)
    c.run(599)
    assert c.phase == "Baking"
    c.run(2)
    assert c.results[0] == (c.target, "Succeeded")


def test_an_operator_whose_clock_is_behind_takes_nothing_away_from_a_bake() -> None:
    c = baking()
    c.now -= timedelta(seconds=30)
    c.break_pod()
    c.run(1)
    assert c.status["rollout"].get("bakedSeconds", 0) == 0
    assert "readySince" not in c.status["rollout"]
