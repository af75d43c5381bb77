"""The newest target wins, whatever is under way; and the way to something that is known to be good is short."""

from typing import Any

from modelfleet.core import names
from tests.support.pretend_cluster import PretendCluster, cluster

CANARY = {"steps": [20, 50], "pause": "5m"}


def running(**rollout: Any) -> PretendCluster:
    """A cluster in the first step of a canary."""
    c = cluster(canary=CANARY, **rollout)
    c.write("2")
    c.run(60)
    assert c.reason == "CanaryRunning"
    return c


def test_another_revision_in_the_middle_of_a_step_begins_anew_with_its_own_time() -> None:
    c = running()
    old, second, begun = c.stable_revision, c.target, c.now
    c.run(200)
    third = c.write("3")
    c.run(60)
    assert (c.step, c.reason, c.running()) == (1, "CanaryRunning", {old, third})
    assert c.results[0] == (second, "Superseded")
    c.run(290 - 200)
    assert c.step == 1
    fourth = c.write("4")
    c.run(60)
    assert (c.step, c.running()) == (1, {old, fourth})
    c.run(1200)
    assert c.results == [(fourth, "Succeeded"), (third, "Superseded"), (second, "Superseded"), (old, "Succeeded")]
    assert c.now > begun


def test_going_back_to_the_previous_revision_in_a_canary_takes_the_canary_away() -> None:
    c = running()
    old, stable = c.stable_revision, c.stable["metadata"]["generation"]
    c.write("1")
    c.run()
    assert (c.canary, c.reason, c.phase) == (None, "Serving", "")
    c.run(600)
    assert (c.stable["metadata"]["generation"], c.stable_revision, c.rejected) == (stable, old, [])
    assert [result for _, result in c.results] == ["Superseded", "Succeeded"]


def test_a_revision_that_succeeded_before_needs_no_canary() -> None:
    c = running()
    c.run(1200)
    old = c.write("1")
    c.run()
    assert (c.phase, c.stable_revision, c.canary) == ("Promoting", old, None)
    c.run(120)
    assert c.results[0] == (old, "Succeeded")


def test_a_third_revision_during_a_promotion_waits_until_the_first_is_back() -> None:
    c = running(bake="10m")
    old, second = c.stable_revision, c.target
    c.run_until(lambda: c.phase == "Baking")
    third = c.write("3")
    c.run()
    assert (c.phase, c.stable_revision) == ("RollingBack", old)
    c.run_until(lambda: c.phase == "Canary")
    assert (c.stable_revision, c.rejected, c.results[0]) == (old, [], (second, "Superseded"))
    c.run(1800)
    assert c.results[0] == (third, "Succeeded")


def test_the_previous_revision_during_a_promotion_comes_back_at_once_as_it_was() -> None:
    c = running(bake="10m")
    old = c.stable_revision
    c.run_until(lambda: c.phase == "Baking")
    second = c.target
    c.write("1")
    c.run()
    assert c.stable_revision == old
    c.run(120)
    assert (c.reason, c.running(), c.phase, c.rejected) == ("Serving", {old}, "", [])
    assert (second, "Superseded") in c.results


def test_what_was_rejected_is_tried_again_when_it_takes_the_place_of_another() -> None:
    c = cluster(bake="10m", canary=CANARY)
    c.behave("2", starts=False)
    second = c.write("2")
    c.run(1200)
    assert c.rejected == [second]
    c.write("3")
    c.run_until(lambda: c.phase == "Baking")
    c.behave("2")
    c.write("2")
    c.run(3600)
    assert (c.results[0], c.rejected) == ((second, "Succeeded"), [])


def test_where_nothing_serves_the_next_revision_comes_at_once() -> None:
    c = cluster(canary=CANARY)
    for pod in c.pods(names.STABLE):
        pod.ready_at = None
    c.run(60)
    assert not any(pod.is_ready for pod in c.controller.pods)
    new = c.write("2")
    c.run(120)
    assert (c.stable_revision, c.results[0], len(c.pods(names.STABLE))) == (new, (new, "Succeeded"), 4)


def test_a_deployment_scaled_to_zero_takes_the_next_revision_at_once() -> None:
    c = cluster(canary=CANARY)
    c.write(replicas=0)
    c.run(60)
    new = c.write("2")
    c.run(60)
    assert (c.stable_revision, c.phase, c.reason) == (new, "", "ScaledToZero")


def test_a_revision_is_succeeded_once_however_often_it_is_looked_at() -> None:
    c = running()
    c.run(1200)
    before = c.results
    for _ in range(5):
        c.is_news = True
        c.run(60)
    assert c.results == before


def test_a_canary_that_leaves_never_turns_into_the_next_revision() -> None:
    c = cluster(canary={"steps": [50], "pause": "1m"})
    old = c.target
    c.write("2")
    c.run_until(lambda: c.phase == "Promoting")
    c.break_pod()
    c.run(1)
    third = c.write("3")
    while c.phase == "Promoting" or c.phase == "RollingBack":
        c.run(1)
        assert len(c.running() | {old}) <= 2
    c.run(600)
    assert c.results[0] == (third, "Succeeded")
