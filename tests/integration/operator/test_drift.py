"""The live objects are brought back to what they should be, and only where they differ."""

import json
from functools import partial

import pytest

from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import apply, exists, model_deployment, read

pytestmark = pytest.mark.usefixtures("operator")


def test_a_changed_field_is_changed_back(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment())
    exists(kubectl, "deployment", "claims")
    template = {"containers": [{"name": "server", "image": "intruder:1"}]}
    kubectl("patch", "deployment", "claims", "-p", json.dumps({"spec": {"template": {"spec": template}}}))
    eventually(lambda: server_image(kubectl) == "server:1")


def test_a_deleted_object_comes_back(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment())
    for kind in ("service", "deployment", "serviceaccount"):
        before = exists(kubectl, kind, "claims")["metadata"]["uid"]
        kubectl("delete", kind, "claims")
        eventually(partial(is_another, kubectl, kind, before))


def is_another(kubectl: Kubectl, kind: str, uid: str) -> bool:
    found = read(kubectl, kind, "claims")
    return found is not None and found["metadata"]["uid"] != uid


def test_fields_of_others_stay(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment())
    exists(kubectl, "deployment", "claims")
    kubectl("annotate", "deployment", "claims", "team=claims")
    kubectl("rollout", "restart", "deployment", "claims")
    apply(kubectl, model_deployment(replicas=2))
    eventually(lambda: exists(kubectl, "deployment", "claims")["spec"]["replicas"] == 2)
    deployment = exists(kubectl, "deployment", "claims")
    assert deployment["metadata"]["annotations"]["team"] == "claims"
    assert "kubectl.kubernetes.io/restartedAt" in deployment["spec"]["template"]["metadata"]["annotations"]


def test_a_copy_of_an_object_is_nobodys_business(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment())
    service = exists(kubectl, "service", "claims")
    copy = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "mine", "labels": service["metadata"]["labels"]},
        "spec": {"selector": service["spec"]["selector"], "ports": [{"port": 80}]},
    }
    apply(kubectl, copy)
    apply(kubectl, model_deployment(replicas=2))
    eventually(lambda: exists(kubectl, "deployment", "claims")["spec"]["replicas"] == 2)
    assert exists(kubectl, "service", "mine")


def server_image(kubectl: Kubectl) -> str:
    image: str = exists(kubectl, "deployment", "claims")["spec"]["template"]["spec"]["containers"][0]["image"]
    return image
