"""Where all pods change and the new ones do not come, the ones before come back exactly as they were."""

import json

import pytest

from modelfleet.core import names
from modelfleet.core.children import Defaults
from tests.support.pretend_cluster import PretendCluster, cluster

NEWER = Defaults(server_image="modelfleet/server:2")


def stable_template(c: PretendCluster) -> str:
    return json.dumps(c.stable["spec"]["template"], sort_keys=True)


@pytest.mark.parametrize("defaults", [None, NEWER])
def test_pods_that_never_come_give_way_to_the_ones_before_with_the_very_same_template(
    defaults: Defaults | None,
) -> None:
    c = cluster(bake="5m", progressDeadline="10m")
    old, template = c.target, stable_template(c)
    pods = {pod.name for pod in c.pods(names.STABLE)}
    c.defaults = defaults or c.defaults
    c.behave("2", starts=False)
    new = c.write("2")
    c.run(60)
    assert (c.phase, c.stable_revision, c.running()) == ("Promoting", new, {old, new})
    c.run(700)
    assert (c.reason, c.is_stalled, c.stable_revision, c.rejected) == ("RolledBack", True, old, [new])
    assert stable_template(c) == template
    assert {pod.name for pod in c.pods(names.STABLE)} == pods
    assert c.results[0] == (new, "RolledBack")


def test_a_deadline_that_is_changed_while_pods_come_holds_for_them() -> None:
    c = cluster(progressDeadline="10m")
    c.behave("2", starts=False)
    c.write("2")
    c.run(60)
    c.write(rollout={"progressDeadline": "30m"})
    c.run(1200)
    assert c.phase == "Promoting"
    c.run(1000)
    assert c.reason == "RolledBack"


def test_the_canary_serves_until_all_pods_are_there() -> None:
    c = cluster(canary={"steps": [50], "pause": "1m"})
    new = c.write("2")
    c.run_until(lambda: c.phase == "Promoting")
    while c.phase == "Promoting":
        assert c.canary_pods == 4
        c.run(1)
    assert (c.canary, c.results[0]) == (None, (new, "Succeeded"))


def test_pods_before_that_do_not_come_either_end_the_way_back_after_the_deadline() -> None:
    c = cluster(bake="1h", progressDeadline="10m")
    old, new = c.target, c.write("2")
    c.run_until(lambda: c.phase == "Baking")
    c.controller.behaviour(old).starts = False
    c.command("abort", new)
    c.run(599)
    assert (c.phase, c.reason) == ("RollingBack", "RollingBack")
    c.run(30)
    assert (c.phase, c.reason, c.is_stalled, c.results[0]) == ("", "RolledBack", True, (new, "RolledBack"))


def test_a_third_revision_comes_at_once_where_nothing_serves_on_the_way_back() -> None:
    c = cluster(bake="1h", progressDeadline="10m", canary={"steps": [50], "pause": "1m"})
    old, new = c.target, c.write("2")
    c.run_until(lambda: c.phase == "Baking")
    c.controller.behaviour(old).starts = False
    for pod in c.pods(names.STABLE):
        pod.ready_at = None
    c.command("abort", new)
    c.run(60)
    assert c.phase == "RollingBack"
    third = c.write("3")
    c.run(60)
    assert (c.phase, c.stable_revision) == ("Baking", third)
    assert c.results[0] == (new, "RolledBack")
