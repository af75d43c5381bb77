"""Behind a Gateway a canary gets exactly its share, whatever the number of pods."""

from typing import Any

import pytest

from modelfleet.core import names
from tests.support.pretend_cluster import PretendCluster, cluster

GATEWAY = {"parentRef": {"name": "public", "namespace": "gateways"}}
CANARY = {"steps": [10, 50, 100], "pause": "5m"}


def gatewayed(replicas: int = 4, **rollout: Any) -> PretendCluster:
    return cluster(replicas, GATEWAY, canary=CANARY, **rollout)


def test_the_share_grows_from_step_to_step_with_no_more_pods_than_it_takes() -> None:
    c = gatewayed(bake="10m")
    new = c.write("2")
    seen: list[tuple[str, int, int, int]] = []
    for _ in range(400):
        c.run(5)
        if c.reason != "CanaryStarting" and (not seen or seen[-1] != (c.phase, c.step, c.canary_pods, c.weight)):
            seen.append((c.phase, c.step, c.canary_pods, c.weight))
    assert seen == [
        ("Canary", 1, 1, 10),
        ("Canary", 2, 2, 50),
        ("Canary", 3, 4, 100),
        ("Promoting", 3, 4, 100),
        ("Baking", 3, 0, 0),
        ("", 0, 0, 0),
    ]
    assert c.results[0] == (new, "Succeeded")


def test_a_canary_gets_its_share_only_when_all_its_pods_are_there() -> None:
    c = gatewayed()
    c.write("2")
    while c.reason != "CanaryRunning":
        is_ready = any(pod.is_ready for pod in c.pods(names.CANARY))
        assert c.weight == 0 or is_ready
        c.run(1)
    assert c.weight == 10
    c.run_until(lambda: c.step == 2)
    assert c.weight == 10
    c.run_until(lambda: c.reason == "CanaryRunning")
    assert c.weight == 50


def test_a_step_lasts_from_when_the_gateway_has_taken_its_share() -> None:
    c = gatewayed()
    c.gateway.is_away = True
    c.write("2")
    c.run(120)
    assert (c.reason, c.weight, c.step) == ("CanaryStarting", 10, 1)
    assert "the Gateway does not give it its share yet" in c.ready["message"]
    c.gateway.is_away = False
    c.run(5)
    assert c.reason == "CanaryRunning"
    c.run(290)
    assert c.step == 1
    c.run(10)
    assert c.step == 2


def test_any_canary_is_possible_beside_a_single_replica() -> None:
    c = gatewayed(replicas=1)
    c.write("2")
    c.run_until(lambda: c.reason == "CanaryRunning")
    assert (c.canary_pods, c.weight) == (1, 10)
    assert "(10 %)" in c.ready["message"]


def test_a_revision_that_fails_loses_its_share_before_its_pods_go() -> None:
    c = gatewayed(analysis={"maxErrorRate": "1%", "minRequests": 100})
    c.behave("2", error_rate=0.5)
    c.write("2")
    c.run_until(lambda: c.phase == "RollingBack" or c.rejected)
    taken = c.writes[: c.writes.index("delete Deployment/claims-canary")]
    assert taken[-1] == "HTTPRoute/claims"
    assert c.weight == 0


def test_when_no_stable_pod_answers_the_canary_gets_all_and_gives_it_back() -> None:
    c = gatewayed(replicas=1)
    c.write("2")
    c.run_until(lambda: c.reason == "CanaryRunning")
    pod = c.break_pod()
    c.run(2)
    assert c.weight == 100
    c.mend_pod(pod)
    c.run(10)
    assert c.weight == 10


def test_when_no_canary_pod_answers_it_gets_nothing() -> None:
    c = gatewayed()
    c.write("2")
    c.run_until(lambda: c.reason == "CanaryRunning")
    pod = c.break_pod(names.CANARY)
    c.run(2)
    assert c.weight == 0
    c.mend_pod(pod)
    c.run(10)
    assert c.weight == 10


@pytest.mark.parametrize("is_away", [True, False])
def test_a_gateway_that_never_takes_the_route_fails_the_rollout_and_nobody_notices(is_away: bool) -> None:
    c = gatewayed(progressDeadline="2m")
    c.gateway.is_away, c.gateway.refusal = is_away, "" if is_away else "NoMatchingParent"
    old, _ = c.target, c.write("2")
    c.run(600)
    assert (c.stable_revision, c.canary_pods) == (old, 0)
    assert len(c.rejected) == 1


def test_a_route_that_is_refused_is_told_while_all_pods_serve() -> None:
    c = gatewayed()
    c.gateway.refusal = "NotAllowedByListeners"
    c.write(gateway={**GATEWAY, "hostnames": ["claims.example.com"]})
    c.run(10)
    assert c.reason == "RouteNotAccepted"
    assert c.ready["message"].startswith(
        "The Gateway public in namespace gateways does not take the HTTPRoute claims (NotAllowedByListeners): No "
    )
    c.gateway.refusal = ""
    c.write(gateway=GATEWAY)
    c.run(10)
    assert c.reason == "Serving"


def test_without_its_gateway_the_route_and_its_services_go() -> None:
    c = gatewayed()
    c.write(gateway=None, rollout={"canary": {"steps": [20]}})
    c.run(60)
    kept = {(kind, name) for kind, name in c.others if kind in {"HTTPRoute", "Service"}}
    assert kept == {("Service", "claims")}
    assert c.reason == "Serving"


def test_a_canary_without_its_golden_samples_does_not_begin() -> None:
    c = cluster(canary={"steps": [20]}, analysis={"smoke": {"configMapRef": "golden"}})
    c.has_samples = False
    old, new = c.target, c.write("2")
    c.run(60)
    assert (c.reason, c.stable_revision, c.canary_pods) == ("SamplesMissing", old, 0)
    assert "The ConfigMap golden named in spec.rollout.analysis.smoke does not exist" in c.ready["message"]
    c.has_samples = True
    c.run(1200)
    assert c.results[0] == (new, "Succeeded")
