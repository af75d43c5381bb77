"""A canary that is worse leaves, and is not tried again by itself; the stable pods are not touched."""

import copy

import pytest

from modelfleet.core import names
from tests.support.objects import reported
from tests.support.pretend_cluster import PretendCluster, cluster

CANARY = {"steps": [20, 50], "pause": "5m"}
ANALYSIS = {"maxErrorRate": "1%", "minRequests": 200}


def assert_rolled_back(c: PretendCluster, old: str, new: str, reason: str) -> None:
    assert (c.reason, c.is_stalled, c.phase, c.canary) == ("RolledBack", True, "", None)
    assert c.stable_revision == old
    assert c.running() == {old}
    assert c.results[0] == (new, "RolledBack")
    assert [(entry["revision"], entry["reason"]) for entry in c.status["rejected"]] == [(new, reason)]


def test_a_canary_whose_pods_never_come_goes_back_after_the_deadline() -> None:
    c = cluster(canary=CANARY, progressDeadline="10m")
    old, stable = c.target, copy.deepcopy(c.stable["spec"])
    c.behave("2", starts=False)
    new = c.write("2")
    c.run(599)
    assert (c.phase, c.reason) == ("Canary", "CanaryStarting")
    c.run(60)
    assert_rolled_back(c, old, new, "ProgressDeadlineExceeded")
    assert c.stable["spec"] == stable
    c.run(7200)
    assert_rolled_back(c, old, new, "ProgressDeadlineExceeded")


def test_a_model_that_no_server_can_serve_goes_back_at_once_with_what_the_server_said() -> None:
    c = cluster(canary=CANARY)
    old = c.target
    c.behave("2", starts=False, ended=reported("ModelInvalid", "The model has no inputs."))
    new = c.write("2")
    c.run(30)
    assert_rolled_back(c, old, new, "ModelInvalid")
    assert "The model has no inputs." in c.ready["message"]


def test_errors_end_a_step_before_its_time() -> None:
    c = cluster(canary=CANARY, analysis=ANALYSIS)
    old = c.target
    c.behave("2", error_rate=0.5)
    new = c.write("2")
    c.run(180)
    assert_rolled_back(c, old, new, c.status["rejected"][0]["reason"])
    assert c.status["rejected"][0]["message"]


def test_errors_are_found_at_the_end_of_a_step_that_is_shorter_than_an_early_look() -> None:
    c = cluster(canary={"steps": [50], "pause": "20s"}, analysis=ANALYSIS)
    old = c.target
    c.behave("2", error_rate=0.5)
    new = c.write("2")
    c.run(120)
    assert (c.reason, c.stable_revision, c.rejected) == ("RolledBack", old, [new])


def test_a_canary_that_serves_as_well_as_the_stable_pods_is_not_failed() -> None:
    c = cluster(canary=CANARY, analysis=ANALYSIS)
    new = c.write("2")
    c.run(1200)
    assert c.results[0] == (new, "Succeeded")


def test_a_failing_canary_leaves_although_a_stable_pod_is_missing() -> None:
    c = cluster(canary=CANARY, analysis=ANALYSIS)
    old = c.target
    c.behave("2", error_rate=0.5)
    new = c.write("2")
    c.run_until(lambda: c.reason == "CanaryRunning")
    c.break_pod()
    c.run(180)
    assert (c.canary, c.rejected, c.stable_revision) == (None, [new], old)


def test_a_canary_pod_that_is_missing_after_a_long_hold_gets_the_whole_deadline_to_come_back() -> None:
    c = cluster(canary={"steps": [50], "pause": "1m"}, progressDeadline="10m", paused=False)
    new = c.write("2")
    c.run(30)
    c.write(rollout={"canary": {"steps": [50], "pause": "1m"}, "progressDeadline": "10m", "paused": True})
    c.run(7200)
    assert c.reason == "Paused"
    pod = c.break_pod(names.CANARY)
    c.run(590)
    assert c.phase == "Canary"
    c.mend_pod(pod)
    c.run(60)
    assert (c.reason, c.rejected) == ("Paused", [])
    c.break_pod(names.CANARY)
    c.run(599)
    assert c.phase == "Canary"
    c.run(30)
    assert c.rejected == [new]


@pytest.mark.parametrize("verb", ["", "retry"])
def test_what_was_rejected_is_tried_again_only_when_a_person_says_so(verb: str) -> None:
    c = cluster(canary=CANARY, analysis=ANALYSIS)
    c.behave("2", error_rate=0.5)
    new = c.write("2")
    c.run(600)
    c.behave("2", error_rate=0)
    c.run(600)
    assert c.reason == "RolledBack"
    if verb:
        c.command(verb, new)
        c.run()
        assert (c.phase, c.step, c.rejected) == ("Canary", 1, [])
    c.run(1200)
    assert c.results[0] == ((new, "Succeeded") if verb else (new, "RolledBack"))


def test_a_window_of_a_second_try_knows_nothing_of_the_first() -> None:
    c = cluster(canary={"steps": [50], "pause": "1m"}, analysis=ANALYSIS)
    c.behave("2", error_rate=0.5)
    new = c.write("2")
    c.run(600)
    c.command("retry", new)
    c.run()
    rollout = c.status["rollout"]
    assert "baseline" not in rollout.get("analysis", {})
    assert "readySince" not in rollout
    assert rollout["startedAt"] == rollout["since"] != c.status["history"][0]["startedAt"]


def test_what_was_rejected_is_tried_again_once_something_else_was_asked_for_in_between() -> None:
    c = cluster(canary=CANARY, analysis=ANALYSIS)
    c.behave("2", error_rate=0.5)
    new = c.write("2")
    c.run(600)
    c.write("1")
    c.run(60)
    assert c.reason == "Serving"
    c.behave("2", error_rate=0)
    c.write("2")
    c.run(1200)
    assert c.results[0] == (new, "Succeeded")


@pytest.mark.parametrize("point", range(4))
def test_a_process_that_ends_while_it_goes_back_does_not_forget_that_the_revision_failed(point: int) -> None:
    c = cluster(canary=CANARY)
    new = c.write("2")
    c.run(60)
    c.command("abort", new)
    c.crash_in = point
    c.run(1200)
    assert (c.reason, c.rejected, c.results[0]) == ("RolledBack", [new], (new, "RolledBack"))


def test_a_canary_that_somebody_has_deleted_is_rejected_all_the_same() -> None:
    c = cluster(canary=CANARY)
    new = c.write("2")
    c.run(60)
    del c.controller.deployments["claims-canary"]
    c.command("abort", new)
    c.run(1200)
    assert (c.reason, c.rejected) == ("RolledBack", [new])
