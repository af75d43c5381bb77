"""``paused`` and ``freeze`` keep the next step from beginning, and never hold up the way back."""

from datetime import timedelta

from modelfleet.core.conditions import timestamp
from tests.support.pretend_cluster import START, PretendCluster, cluster

CANARY = {"steps": [20, 50], "pause": "5m"}
ANALYSIS = {"maxErrorRate": "1%", "minRequests": 200}
FROZEN = {"from": timestamp(START), "to": timestamp(START + timedelta(hours=8)), "reason": "a holiday"}


def paused(c: PretendCluster, is_paused: bool = True, **rollout: object) -> None:
    c.write(rollout={"canary": CANARY, "paused": is_paused, **rollout})


def test_a_pause_keeps_a_rollout_from_beginning() -> None:
    c = cluster(canary=CANARY, paused=True)
    old = c.target
    new = c.write("2")
    c.run(3600)
    assert (c.reason, c.status["phase"], c.stable_revision, c.canary) == ("Paused", "Paused", old, None)
    paused(c, False)
    c.run(1200)
    assert c.results[0] == (new, "Succeeded")


def test_a_pause_lets_a_step_come_to_its_end_and_not_the_next_begin() -> None:
    c = cluster(canary=CANARY)
    new = c.write("2")
    c.run(60)
    paused(c)
    c.run(60)
    assert c.reason == "CanaryRunning"
    c.run(3600)
    assert (c.reason, c.step, c.canary_pods) == ("Paused", 1, 1)
    paused(c, False)
    c.run()
    assert c.step == 2
    c.run(1200)
    assert c.results[0] == (new, "Succeeded")


def test_a_freeze_ends_by_itself() -> None:
    c = cluster(canary=CANARY, freeze=[FROZEN])
    new = c.write("2")
    c.run(3600)
    assert (c.reason, c.status["phase"], c.canary) == ("Frozen", "Waiting", None)
    assert "a holiday" in c.ready["message"]
    assert c.status["waitingFor"]["until"] == FROZEN["to"]
    c.run(8 * 3600)
    assert c.results[0] == (new, "Succeeded")


def test_promote_goes_on_in_spite_of_a_pause() -> None:
    c = cluster(canary=CANARY)
    c.write("2")
    c.run(60)
    paused(c)
    c.run(600)
    c.command("promote", f"{c.target}:1")
    c.run()
    assert c.step == 2


def test_errors_are_no_less_bad_in_a_pause() -> None:
    c = cluster(canary=CANARY, analysis=ANALYSIS)
    new = c.write("2")
    c.run(60)
    paused(c, analysis=ANALYSIS)
    c.run(600)
    assert c.reason == "Paused"
    c.controller.behaviour(new).error_rate = 0.9
    c.run(1200)
    assert (c.reason, c.rejected, c.canary) == ("RolledBack", [new], None)


def test_a_paused_rollout_can_be_aborted() -> None:
    c = cluster(canary=CANARY)
    new = c.write("2")
    c.run(60)
    paused(c)
    c.command("abort", new)
    c.run(60)
    assert (c.rejected, c.canary) == ([new], None)


def test_a_paused_canary_is_not_promoted_where_its_steps_are_taken_away() -> None:
    c = cluster(canary=CANARY)
    old = c.target
    c.write("2")
    c.run(60)
    c.write(rollout={"paused": True})
    c.run(600)
    assert (c.reason, c.stable_revision, c.canary_pods) == ("Paused", old, 1)


def test_a_pause_keeps_the_next_revision_from_taking_the_place_of_one_that_bakes() -> None:
    c = cluster(bake="1h")
    c.write("2")
    c.run_until(lambda: c.phase == "Baking")
    second = c.target
    c.write("3", rollout={"bake": "1h", "paused": True})
    c.run(600)
    assert (c.reason, c.stable_revision) == ("Paused", second)
    third = c.write(rollout={"bake": "1m"})
    c.run(300)
    assert (c.results[:2], c.stable_revision) == ([(third, "Succeeded"), (second, "Superseded")], third)


def test_the_way_back_is_open_in_a_pause() -> None:
    c = cluster(bake="1h")
    old = c.target
    c.write("2")
    c.run_until(lambda: c.phase == "Baking")
    c.write("1", rollout={"bake": "1h", "paused": True})
    c.run(120)
    assert (c.reason, c.stable_revision) == ("Serving", old)
