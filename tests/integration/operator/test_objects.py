"""What a ModelDeployment becomes."""

import pytest

from tests.support import kubelet
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import (
    apply,
    condition,
    exists,
    model_deployment,
    read,
    read_all,
    ready_reason,
    status_of,
)

pytestmark = pytest.mark.usefixtures("operator")

KINDS = ("deployment", "service", "serviceaccount", "poddisruptionbudget", "networkpolicy")


def test_a_model_deployment_becomes_a_workload_with_an_endpoint(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment(replicas=2))
    owner = exists(kubectl, "modeldeployment", "claims")
    for kind in KINDS:
        child = exists(kubectl, kind, "claims")
        assert [o["uid"] for o in child["metadata"]["ownerReferences"]] == [owner["metadata"]["uid"]]
    service = exists(kubectl, "service", "claims")
    assert service["spec"]["ports"][0]["port"] == 80
    assert service["spec"]["selector"] == {"modelfleet.dev/deployment": "claims"}
    assert exists(kubectl, "deployment", "claims")["spec"]["replicas"] == 2


def test_the_status_follows_from_the_moment_of_apply(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment())
    assert kubectl.run("wait", "--for=condition=Ready", "mfd/claims", "--timeout=1s").returncode != 0
    status = ready_reason(kubectl, "Unschedulable")
    assert status["observedGeneration"] == 1
    assert status["endpoint"].startswith("http://claims.")
    assert "no nodes available" in condition(status, "Reconciling")["message"]
    assert status["waitingFor"]["until"]


def test_a_change_of_the_spec_reaches_the_objects(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment())
    exists(kubectl, "deployment", "claims")
    changed = model_deployment(replicas=3, service={"port": 8080, "annotations": {"team": "claims"}})
    apply(kubectl, changed)
    eventually(lambda: exists(kubectl, "deployment", "claims")["spec"]["replicas"] == 3)
    service = eventually(
        lambda: (s := read(kubectl, "service", "claims")) and s["spec"]["ports"][0]["port"] == 8080 and s
    )
    assert service
    assert service["metadata"]["annotations"]["team"] == "claims"
    eventually(lambda: status_of(kubectl)["observedGeneration"] == 2)


def test_what_the_spec_no_longer_says_goes_away(kubectl: Kubectl) -> None:
    secret = {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {"name": "storage"},
        "stringData": {"sasToken": "sig"},
    }
    apply(kubectl, secret, model_deployment(model={"credentials": {"secretName": "storage"}}))
    token = exists(kubectl, "secret", "storage")["data"]["sasToken"]
    assert exists(kubectl, "secret", "claims-model")["data"] == {"claims.sasToken": token}
    apply(kubectl, model_deployment(service={"annotations": {"team": "claims"}}))
    kubelet.settle(kubectl)
    eventually(lambda: read(kubectl, "secret", "claims-model") is None)
    apply(kubectl, model_deployment())
    eventually(lambda: "team" not in exists(kubectl, "service", "claims")["metadata"]["annotations"])
    assert exists(kubectl, "secret", "storage")


def test_two_model_deployments_do_not_touch_each_other(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment("a"), model_deployment("b"))
    for name in ("a", "b"):
        deployment = exists(kubectl, "deployment", name)
        assert deployment["spec"]["selector"]["matchLabels"]["modelfleet.dev/deployment"] == name
    kubectl("delete", "mfd", "a")
    eventually(lambda: read(kubectl, "deployment", "a") is None)
    assert exists(kubectl, "deployment", "b")
    assert [m["metadata"]["name"] for m in read_all(kubectl, "mfd")] == ["b"]
