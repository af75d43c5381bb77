"""Who owns the number of pods: the spec, or an autoscaler."""

import json

import pytest

from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import Manifest, apply, exists, model_deployment

pytestmark = pytest.mark.usefixtures("operator")


def autoscaler(kind: str = "Deployment", api_version: str = "apps/v1") -> Manifest:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "claims"},
        "spec": {
            "scaleTargetRef": {"apiVersion": api_version, "kind": kind, "name": "claims"},
            "minReplicas": 4,
            "maxReplicas": 9,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
                }
            ],
        },
    }


def replicas(kubectl: Kubectl) -> int:
    count: int = exists(kubectl, "deployment", "claims")["spec"]["replicas"]
    return count


def owned_by_operator(kubectl: Kubectl) -> bool:
    text = kubectl("get", "deployment", "claims", "-o", "json", "--show-managed-fields")
    entries = json.loads(text)["metadata"]["managedFields"]
    return any(e["manager"] == "modelfleet" and "f:replicas" in e["fieldsV1"].get("f:spec", {}) for e in entries)


def test_kubectl_scale_works(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment())
    exists(kubectl, "deployment", "claims")
    kubectl("scale", "mfd/claims", "--replicas=3")
    eventually(lambda: replicas(kubectl) == 3)


def test_an_autoscaler_takes_over_without_a_dip(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment(replicas=5))
    eventually(lambda: replicas(kubectl) == 5)
    apply(kubectl, autoscaler())
    eventually(lambda: not owned_by_operator(kubectl))
    assert replicas(kubectl) == 5
    kubectl("scale", "deployment/claims", "--replicas=7")
    apply(kubectl, model_deployment(version="2", replicas=5))
    eventually(lambda: exists(kubectl, "mfd", "claims")["status"]["observedGeneration"] == 2)
    assert replicas(kubectl) == 7


def test_the_spec_counts_again_when_the_autoscaler_is_gone(kubectl: Kubectl) -> None:
    apply(kubectl, autoscaler(), model_deployment(replicas=2))
    eventually(lambda: not owned_by_operator(kubectl))
    kubectl("scale", "deployment/claims", "--replicas=6")
    kubectl("delete", "hpa", "claims")
    eventually(lambda: replicas(kubectl) == 2)


def test_an_autoscaler_of_the_resource_itself_goes_through_its_spec(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment(replicas=2), autoscaler("ModelDeployment", "modelfleet.dev/v1alpha1"))
    exists(kubectl, "deployment", "claims")
    kubectl("scale", "mfd/claims", "--replicas=6")
    eventually(lambda: replicas(kubectl) == 6)
    assert owned_by_operator(kubectl)
