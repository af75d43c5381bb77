"""Routes of Gateways on a real API server, also one that does not know them."""

from tests.support import gateway, kubelet
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import (
    Manifest,
    apply,
    condition,
    exists,
    model_deployment,
    read,
    ready_reason,
    status_of,
)
from tests.support.operator import StartOperator

GATEWAY = {"parentRef": {"name": "public"}, "hostnames": ["claims.example.com"]}


def weights(route: Manifest) -> dict[str, int]:
    [rule] = route["spec"]["rules"]
    return {ref["name"]: ref["weight"] for ref in rule["backendRefs"]}


def test_a_cluster_that_knows_no_routes_is_told_so_until_it_does(
    kubectl: Kubectl, start_operator: StartOperator
) -> None:
    gateway.undefine(kubectl)
    start_operator().wait_until_leading()
    apply(kubectl, model_deployment("plain"), model_deployment(gateway=GATEWAY))
    exists(kubectl, "deployment", "plain")
    status = ready_reason(kubectl, "GatewayApiMissing")
    assert condition(status, "Stalled")["status"] == "True"
    assert read(kubectl, "service", "claims") is None
    gateway.define(kubectl)
    route = eventually(lambda: read(kubectl, "httproute", "claims"), within_s=90)
    assert route
    assert weights(route) == {"claims-stable": 100, "claims-canary": 0}


def test_a_step_begins_when_the_gateway_has_taken_its_share_and_a_lost_route_comes_back(
    kubectl: Kubectl, start_operator: StartOperator
) -> None:
    gateway.define(kubectl)
    start_operator().wait_until_leading()
    rollout = {"canary": {"steps": [10], "pause": "1h"}}
    apply(kubectl, model_deployment(gateway=GATEWAY, rollout=rollout))
    exists(kubectl, "httproute", "claims")
    gateway.accept(kubectl)
    kubelet.settle(kubectl)
    apply(kubectl, model_deployment(gateway=GATEWAY, rollout=rollout, version="2"))
    exists(kubectl, "deployment", "claims-canary")
    revision = status_of(kubectl)["rollout"]["revision"]
    kubelet.make_ready(kubectl, revision=revision)
    eventually(lambda: weights(exists(kubectl, "httproute", "claims"))["claims-canary"] == 10)
    status = ready_reason(kubectl, "CanaryStarting")
    assert "the Gateway does not give it its share yet" in status["message"]
    gateway.accept(kubectl)
    ready_reason(kubectl, "CanaryRunning")
    kubectl("delete", "httproute", "claims")
    assert weights(exists(kubectl, "httproute", "claims"))["claims-canary"] == 10
