"""Commands of people name the revision that they mean, and act once."""

from typing import Any

import pytest

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


def test_an_abort_with_nothing_to_abort_does_nothing_not_even_later() -> None:
    c = cluster(canary=CANARY)
    old = c.target
    c.command("abort", old)
    c.run(60)
    assert (c.reason, c.stable_revision, len(c.pods(names.STABLE))) == ("Serving", old, 4)
    new = c.write("2")
    c.run(1200)
    c.write("1")
    c.run(1200)
    assert (c.stable_revision, c.results[0], c.rejected) == (old, (old, "Succeeded"), [])
    assert (new, "Succeeded") in c.results


def test_an_abort_ends_a_canary_and_rejects_the_revision() -> None:
    c = running()
    old, new = c.stable_revision, c.target
    c.command("abort", new)
    c.run()
    assert (c.canary, c.stable_revision, c.rejected) == (None, old, [new])
    c.run(60)
    assert (c.reason, c.is_stalled, c.results[0]) == ("RolledBack", True, (new, "RolledBack"))
    assert "aborted by a person" in c.ready["message"]


@pytest.mark.parametrize("phase", ["Promoting", "Baking"])
def test_an_abort_ends_a_promotion_and_a_bake(phase: str) -> None:
    c = running(bake="5m")
    old, new = c.stable_revision, c.target
    c.run_until(lambda: c.phase == phase)
    c.command("abort", new)
    c.run(120)
    assert (c.reason, c.running(), c.rejected, c.stable_revision) == ("RolledBack", {old}, [new], old)


@pytest.mark.parametrize("verb", ["abort", "promote", "retry"])
def test_a_command_for_another_revision_does_nothing(verb: str) -> None:
    c = running()
    c.command(verb, "0123456789")
    c.command(verb, c.stable_revision)
    c.run(60)
    assert (c.phase, c.step, c.reason) == ("Canary", 1, "CanaryRunning")
    assert "commands" not in c.status


def test_promote_ends_the_wait_in_a_step_and_only_there() -> None:
    c = running()
    c.command("promote", f"{c.target}:1")
    c.run(60)
    assert (c.step, c.reason) == (2, "CanaryRunning")
    c.run(200)
    assert c.step == 2


def test_a_promote_without_a_step_acts_once() -> None:
    c = running()
    c.command("promote", c.target)
    c.run(60)
    assert (c.step, c.reason) == (2, "CanaryRunning")
    c.command("promote", f"{c.target}:2")
    c.run(1)
    assert c.phase == "Promoting"


def test_a_promote_for_a_later_step_waits_for_it() -> None:
    c = running()
    c.command("promote", f"{c.target}:2")
    c.run(200)
    assert c.step == 1
    c.run_until(lambda: c.step == 2)
    c.run(60)
    assert c.phase != "Canary"


def test_promote_ends_a_bake() -> None:
    c = running(bake="2h")
    c.run_until(lambda: c.phase == "Baking")
    c.command("promote", f"{c.target}:0")
    c.run()
    assert c.results[0] == (c.target, "Succeeded")


@pytest.mark.parametrize("step", [1, 2])
def test_a_promote_of_the_first_try_does_not_act_on_the_second(step: int) -> None:
    c = running()
    c.command("promote", f"{c.target}:{step}")
    c.run_until(lambda: c.step > step or c.phase == "Promoting")
    c.command("abort", c.target)
    c.run(120)
    c.command("retry", c.target)
    c.run_until(lambda: c.step == step and c.reason == "CanaryRunning")
    c.run(120)
    assert (c.step, c.reason) == (step, "CanaryRunning")


def test_an_abort_acts_once_and_again_when_it_is_written_anew() -> None:
    c = running()
    new = c.target
    c.command("abort", new)
    c.run(120)
    c.command("retry", new)
    c.run(60)
    assert (c.phase, c.reason) == ("Canary", "CanaryRunning")
    c.command("abort", f"{new}:again")
    c.run(60)
    assert c.reason == "RolledBack"


def test_a_retry_that_is_given_while_it_goes_back_is_for_afterwards() -> None:
    c = running(bake="5m")
    new = c.target
    c.run_until(lambda: c.phase == "Baking")
    c.command("abort", new)
    c.run(5)
    assert c.phase == "RollingBack"
    c.command("retry", new)
    c.run(120)
    assert (c.phase, c.reason) == ("Canary", "CanaryRunning")
    c.command("abort", f"{new}:again")
    c.run(600)
    assert c.reason == "RolledBack"


def test_a_retry_that_is_given_while_it_is_paused_is_for_afterwards() -> None:
    c = running()
    new = c.target
    c.command("abort", new)
    c.run(120)
    c.write(rollout={"canary": CANARY, "paused": True})
    c.run(60)
    c.command("retry", new)
    c.run(60)
    assert c.reason == "Paused"
    c.write(rollout={"canary": CANARY})
    c.run(60)
    assert (c.phase, c.reason) == ("Canary", "CanaryRunning")


def test_a_retry_where_nothing_was_rejected_does_nothing() -> None:
    c = running()
    c.command("retry", c.target)
    c.run(60)
    assert (c.step, c.reason) == (1, "CanaryRunning")
    c.command("abort", c.target)
    c.run(600)
    assert c.reason == "RolledBack"


def test_commands_and_spec_are_never_written() -> None:
    c = running()
    c.command("promote", f"{c.target}:1")
    written = str([c.body["spec"], c.body["metadata"]])
    c.run(3600)
    assert str([c.body["spec"], c.body["metadata"]]) == written
