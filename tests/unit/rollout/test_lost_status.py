"""A status that is lost takes nothing away: what runs is taken for what it is, and is never installed anew."""

from typing import Any

import pytest

from modelfleet.core import names
from tests.support.pretend_cluster import PretendCluster, cluster

ROLLOUT: dict[str, Any] = {"canary": {"steps": [20, 50], "pause": "1m"}, "bake": "5m"}


def in_phase(phase: str) -> PretendCluster:
    """A cluster in which the rollout of version 2 is in this phase."""
    c = cluster(**ROLLOUT)
    c.write("2")
    if phase == "RollingBack":
        c.run_until(lambda: c.phase == "Baking")
        c.command("abort", c.target)
    if phase:
        c.run_until(lambda: c.phase == phase)
    return c


def test_where_all_is_well_nothing_happens() -> None:
    c = cluster(**ROLLOUT)
    c.lose_status()
    c.writes.clear()
    c.run(600)
    assert set(c.writes) == {"status"}
    assert (c.reason, [result for _, result in c.results]) == ("Serving", ["Succeeded"])


def test_a_canary_begins_anew_beside_stable_pods_that_nobody_touches() -> None:
    c = in_phase("Canary")
    pods = {pod.name for pod in c.controller.pods}
    c.lose_status()
    c.run(30)
    assert (c.phase, c.step) == ("Canary", 1)
    assert {pod.name for pod in c.controller.pods} == pods
    c.run(1200)
    assert c.results[0] == (c.target, "Succeeded")


def test_a_promotion_goes_on_and_can_still_go_back() -> None:
    c = in_phase("Promoting")
    old = next(iter(c.running() - {c.target}))
    c.lose_status()
    c.run()
    assert (c.phase, c.status["rollout"]["previous"]) == ("Promoting", old)
    c.command("abort", c.target)
    c.run(120)
    assert (c.running(), c.rejected) == ({old}, [c.target])


def test_a_promotion_that_made_no_progress_any_more_goes_back() -> None:
    c = cluster(progressDeadline="10m")
    old = c.target
    c.behave("2", starts=False)
    c.write("2")
    c.run(599)
    c.lose_status()
    c.run(1200)
    assert (c.stable_revision, c.reason) == (old, "RolledBack")


def test_what_bakes_is_adopted_with_the_way_back_still_recorded() -> None:
    c = in_phase("Baking")
    pods = {pod.name for pod in c.controller.pods}
    c.lose_status()
    c.run(600)
    assert (c.reason, c.results[0]) == ("Serving", (c.target, "Succeeded"))
    assert pods >= {pod.name for pod in c.controller.pods}
    assert names.PREVIOUS in c.stable["metadata"]["annotations"]


def test_pods_of_a_way_back_are_kept() -> None:
    c = in_phase("RollingBack")
    old = c.stable_revision
    c.lose_status()
    c.run(30)
    assert c.stable_revision == old
    assert sum(pod.is_ready for pod in c.controller.pods if pod.deployment == "claims") >= 4


@pytest.mark.parametrize("phase", ["", "Canary", "Promoting", "Baking", "RollingBack"])
def test_stable_pods_never_become_fewer(phase: str) -> None:
    c = in_phase(phase)
    c.lose_status()
    for _ in range(120):
        c.run(10)
        assert sum(pod.is_ready for pod in c.pods(names.STABLE)) >= 4
    assert c.phase == ""
