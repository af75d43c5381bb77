"""A new revision comes to users in steps: canary pods beside the stable ones, then all pods, then a bake."""

import pytest

from modelfleet.core import names
from tests.support.pretend_cluster import PretendCluster, cluster

CANARY = {"steps": [10, 50], "pause": "5m"}
ANALYSIS = {"maxErrorRate": "1%", "minRequests": 200}


def test_a_revision_that_is_well_goes_through_all_steps_and_the_bake_and_succeeds() -> None:
    c = cluster(canary=CANARY, analysis=ANALYSIS, bake="10m")
    old, new = c.target, c.write("2")
    seen: list[tuple[str, int, int]] = []
    for _ in range(300):
        c.run(10)
        if not seen or seen[-1] != (c.phase, c.step, c.canary_pods):
            seen.append((c.phase, c.step, c.canary_pods))
    assert seen == [
        ("Canary", 1, 1),
        ("Canary", 2, 4),
        ("Promoting", 2, 4),
        ("Baking", 2, 0),
        ("", 0, 0),
    ]
    assert c.reason == "Serving"
    assert c.stable_revision == new
    assert c.results == [(new, "Succeeded"), (old, "Succeeded")]
    assert c.status["history"][0]["startedAt"] < c.status["history"][0]["finishedAt"]


def test_each_step_lasts_for_the_pause_from_when_its_pods_are_ready() -> None:
    c = cluster(canary={"steps": [10, 50], "pause": "5m"})
    c.write("2")
    c.run_until(lambda: c.reason == "CanaryRunning")
    assert (c.canary_pods, len(c.pods(names.CANARY))) == (1, 1)
    c.run(299)
    assert c.step == 1
    c.run(1)
    assert c.step == 2


@pytest.mark.parametrize(
    ("replicas", "percent", "pods"), [(4, 20, 1), (4, 50, 4), (10, 10, 2), (10, 25, 4), (2, 50, 2)]
)
def test_a_canary_has_as_many_pods_as_its_share_takes_beside_all_stable_ones(
    replicas: int, percent: int, pods: int
) -> None:
    c = cluster(replicas, canary={"steps": [percent]})
    c.write("2")
    c.run(60)
    assert (len(c.pods(names.CANARY)), len(c.pods(names.STABLE))) == (pods, replicas)


def test_two_steps_with_as_many_pods_follow_each_other_with_nothing_to_wake_anybody() -> None:
    c = cluster(4, canary={"steps": [10, 20], "pause": "1m"})
    new = c.write("2")
    c.run(600)
    assert c.results[0] == (new, "Succeeded")


def test_the_share_of_the_requests_that_a_step_had_is_told() -> None:
    c = cluster(4, canary={"steps": [20, 50], "pause": "1m"}, analysis=ANALYSIS)
    c.write("2")
    c.run_until(lambda: c.step == 2)
    assert c.status["rollout"]["canary"]["requestPercent"] == 20


def test_more_replicas_are_applied_at_once_and_the_canary_grows_with_them() -> None:
    c = cluster(4, canary={"steps": [20], "pause": "10m"})
    c.write("2")
    c.run(60)
    c.write(replicas=8)
    c.run(60)
    assert (len(c.pods(names.CANARY)), len(c.pods(names.STABLE)), c.reason) == (2, 8, "CanaryRunning")


def test_fewer_replicas_are_applied_at_once_and_the_canary_shrinks_with_them() -> None:
    c = cluster(8, canary={"steps": [20], "pause": "10m"})
    c.write("2")
    c.run(60)
    c.write(replicas=4)
    c.run(60)
    assert (len(c.pods(names.CANARY)), len(c.pods(names.STABLE)), c.reason) == (1, 4, "CanaryRunning")


def test_a_longer_pause_holds_for_the_step_that_lasts() -> None:
    c = cluster(canary={"steps": [50], "pause": "1m"})
    c.write("2")
    c.run_until(lambda: c.reason == "CanaryRunning")
    c.write(rollout={"canary": {"steps": [50], "pause": "10m"}})
    c.run(599)
    assert c.phase == "Canary"
    c.run(1)
    assert c.phase == "Promoting"


def test_another_share_for_the_step_that_lasts_changes_its_pods() -> None:
    c = cluster(canary={"steps": [20], "pause": "10m"})
    c.write("2")
    c.run(60)
    c.write(rollout={"canary": {"steps": [50], "pause": "10m"}})
    c.run(60)
    assert (c.canary_pods, c.step, c.reason) == (4, 1, "CanaryRunning")


def test_where_the_steps_become_fewer_the_last_one_counts() -> None:
    c = cluster(canary={"steps": [10, 20, 50], "pause": "2m"})
    new = c.write("2")
    c.run_until(lambda: c.step == 3)
    c.write(rollout={"canary": {"steps": [20], "pause": "2m"}})
    c.run(600)
    assert c.results[0] == (new, "Succeeded")


def test_a_canary_that_is_taken_from_the_spec_is_promoted() -> None:
    c = cluster(canary=CANARY, bake="1m")
    new = c.write("2")
    c.run(60)
    c.write(rollout={"bake": "1m"})
    c.run(300)
    assert c.results[0] == (new, "Succeeded")


@pytest.mark.parametrize("phase", ["Canary", "Promoting", "Baking"])
def test_without_a_rollout_in_the_spec_the_change_is_made_at_once(phase: str) -> None:
    c = cluster(canary=CANARY, bake="5m")
    new = c.write("2")
    c.run_until(lambda: c.phase == phase)
    c.write(rollout=None)
    c.run(120)
    assert (c.stable_revision, c.canary, c.phase, c.reason) == (new, None, "", "Serving")
    assert c.results[0] == (new, "Succeeded")


def test_without_steps_all_pods_change_at_once_and_bake() -> None:
    c = cluster(bake="5m")
    new = c.write("2")
    c.run(120)
    assert (c.phase, c.stable_revision) == ("Baking", new)
    c.run(300)
    assert c.results[0] == (new, "Succeeded")


@pytest.mark.parametrize(
    ("percent", "reason"), [(10, "CanaryTooCoarse"), (25, "CanaryRunning"), (50, "CanaryRunning")]
)
def test_one_replica_takes_a_canary_only_where_its_share_is_near_what_is_asked_for(
    percent: int, reason: str
) -> None:
    c = cluster(1, canary={"steps": [percent]})
    old = c.target
    c.write("2")
    c.run(60)
    assert (c.reason, c.stable_revision) == (reason, old)
    assert c.is_stalled == (reason == "CanaryTooCoarse")


def test_enough_replicas_end_what_was_too_coarse() -> None:
    c = cluster(1, canary={"steps": [10]})
    c.write("2")
    c.run(60)
    c.write(replicas=4)
    c.run(60)
    assert c.reason == "CanaryRunning"


def waited(c: PretendCluster) -> tuple[str, str]:
    waits = c.status["waitingFor"]
    return waits["reason"], waits["hint"]


def test_the_status_tells_what_a_canary_waits_for_and_how_to_go_on() -> None:
    c = cluster(canary=CANARY)
    c.write("2")
    c.run(60)
    assert waited(c) == ("CanaryRunning", "modelfleet promote claims -n ml")
    assert c.status["progress"] == "canary 1/2"
