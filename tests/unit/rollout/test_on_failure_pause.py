"""With onFailure: Pause a failure is for a person to decide: everything is held as it is."""

from typing import Any

from modelfleet.core.children import Defaults
from tests.support.pretend_cluster import PretendCluster, cluster

CANARY: dict[str, Any] = {"steps": [20, 50], "pause": "1m"}
ROLLOUT: dict[str, Any] = {
    "analysis": {"maxErrorRate": "1%", "minRequests": 200},
    "onFailure": "Pause",
    "progressDeadline": "10m",
}


def failed_canary() -> PretendCluster:
    """A cluster whose canary has failed, and is held."""
    c = cluster(canary=CANARY, **ROLLOUT)
    c.behave("2", error_rate=0.5)
    c.write("2")
    c.run(300)
    return c


def failed_promotion() -> PretendCluster:
    """A cluster in which the pods of the new revision do not come, and everything is held."""
    c = cluster(**ROLLOUT, bake="5m")
    c.behave("2", starts=False)
    c.write("2")
    c.run(700)
    return c


def test_a_canary_that_failed_is_held_for_a_person() -> None:
    c = failed_canary()
    assert (c.phase, c.step, c.canary_pods, c.reason, c.is_stalled) == ("Canary", 1, 1, "RolloutFailed", True)
    c.run(7200)
    assert (c.phase, c.step, c.canary_pods, c.rejected) == ("Canary", 1, 1, [])


def test_promote_goes_on_with_the_next_step() -> None:
    c = failed_canary()
    c.controller.behaviour(c.target).error_rate = 0
    c.command("promote", c.target)
    c.run()
    assert (c.phase, c.step, "failure" in c.status["rollout"]) == ("Canary", 2, False)
    c.run(1200)
    assert c.results[0] == (c.target, "Succeeded")


def test_retry_begins_the_step_anew() -> None:
    c = failed_canary()
    c.controller.behaviour(c.target).error_rate = 0
    c.command("retry", c.target)
    c.run()
    assert (c.phase, c.step, c.reason) == ("Canary", 1, "CanaryRunning")
    c.run(1200)
    assert c.results[0] == (c.target, "Succeeded")


def test_abort_goes_back_and_rejects_the_revision() -> None:
    c = failed_canary()
    c.command("abort", c.target)
    c.run(60)
    assert (c.reason, c.canary, c.rejected) == ("RolledBack", None, [c.target])
    assert c.status["rejected"][0]["reason"] == "Aborted"


def test_onfailure_rollback_goes_back_from_what_is_held() -> None:
    c = failed_canary()
    c.write(rollout={"canary": CANARY, **ROLLOUT, "onFailure": "Rollback"})
    c.run(60)
    assert (c.reason, c.rejected) == ("RolledBack", [c.target])


def test_what_is_held_stays_so_where_the_canary_is_taken_from_the_spec() -> None:
    c = failed_canary()
    c.write(rollout=ROLLOUT)
    c.run(60)
    assert (c.phase, c.canary_pods, c.reason) == ("Canary", 1, "RolloutFailed")
    c.command("promote", c.target)
    c.run(60)
    assert c.phase in {"Promoting", ""}


def test_a_new_target_takes_the_place_of_what_is_held() -> None:
    c = failed_canary()
    newest = c.write("3")
    c.run(1200)
    assert c.results[0] == (newest, "Succeeded")


def test_a_promotion_whose_pods_never_come_is_held_while_the_pods_before_serve() -> None:
    c = failed_promotion()
    assert (c.phase, c.reason, c.is_stalled) == ("Promoting", "RolloutFailed", True)
    assert sum(pod.is_ready for pod in c.controller.pods) == 4


def test_a_promotion_that_is_tried_again_gets_the_whole_deadline() -> None:
    c = failed_promotion()
    c.command("retry", c.target)
    c.run(599)
    assert (c.phase, "failure" in c.status["rollout"]) == ("Promoting", False)
    c.run(60)
    assert (c.phase, c.reason) == ("Promoting", "RolloutFailed")


def test_a_promotion_that_is_tried_again_goes_on_when_its_pods_come() -> None:
    c = failed_promotion()
    c.command("retry", c.target)
    c.run(60)
    c.controller.behaviour(c.target).starts = True
    for pod in c.controller.pods_of("claims"):
        pod.ready_at = pod.ready_at or c.now
    c.run(600)
    assert c.results[0] == (c.target, "Succeeded")


def test_a_promotion_that_failed_can_be_aborted() -> None:
    c = failed_promotion()
    c.defaults = Defaults(server_image="modelfleet/server:2")
    c.command("abort", c.target)
    c.run(60)
    assert (c.reason, c.rejected) == ("RolledBack", [c.target])
