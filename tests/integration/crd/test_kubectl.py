"""What people see and do with kubectl, before any operator runs."""

import json
import re
from typing import Any

import pytest

from tests.support.kubectl import Kubectl

MINIMAL = """
apiVersion: modelfleet.dev/v1alpha1
kind: ModelDeployment
metadata: {name: claim-classifier}
spec:
  model: {name: claim-classifier, version: "12", uri: https://acct.blob.core.windows.net/models/claims/12/}
"""
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Serving",
    "message": "3 of 3 pods serve 12.",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
    "observedGeneration": 1,
}
STATUS = {
    "observedGeneration": 1,
    "phase": "Progressing",
    "progress": "2/3 ready",
    "message": "Rolling out 12: 2 of 3 pods are updated.",
    "revision": "3fa1c2d4e5",
    "endpoint": "http://claim-classifier.insurance.svc",
    "image": "registry.azurecr.io/modelfleet-server:0.1.0",
    "models": [
        {
            "name": "claim-classifier",
            "version": "12",
            "source": "azureml://registries/insurance/models/claim-classifier/versions/12",
            "uri": "https://acct.blob.core.windows.net/models/claims/12/",
            "listing": f"sha256:{'f0' * 32}",
            "type": "custom_model",
            "stage": "Production",
            "archived": False,
            "digest": f"sha256:{'0f' * 32}",
            "sizeBytes": 4096,
            "files": 2,
        },
        {"name": "fraud", "version": "3"},
    ],
    "environment": {
        "source": "azureml://registries/insurance/environments/claims-env/versions/4",
        "image": "registry.azurecr.io/claims-env:4",
    },
    "replicas": 4,
    "readyReplicas": 3,
    "updatedReplicas": 2,
    "selector": "modelfleet.dev/deployment=claim-classifier",
    "waitingFor": {"reason": "PodsReady", "until": "2026-01-01T00:00:00Z", "hint": "See the events of the pods."},
    "conditions": [READY | {"status": "False", "reason": "RollingOut", "message": "2 of 3 pods are updated."}],
}


@pytest.fixture
def mfd(kubectl: Kubectl) -> Kubectl:
    """kubectl in a namespace with the ModelDeployment claim-classifier."""
    kubectl("apply", "-f", "-", stdin=MINIMAL)
    return kubectl


def change(mfd: Kubectl, patch: dict[str, Any], *options: str) -> None:
    mfd("patch", "mfd/claim-classifier", "--type=merge", "-p", json.dumps(patch), *options)


def report(mfd: Kubectl, status: dict[str, Any]) -> None:
    change(mfd, {"status": status}, "--subresource=status")


def read(mfd: Kubectl) -> Any:
    return json.loads(mfd("get", "mfd/claim-classifier", "-o", "json"))


def test_what_is_left_out_is_filled_in(mfd: Kubectl) -> None:
    spec = read(mfd)["spec"]
    assert spec.pop("model")["name"] == "claim-classifier"
    assert spec == {
        "replicas": 1,
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}},
        "service": {"type": "ClusterIP", "port": 80},
        "deletionPolicy": "Delete",
    }


def test_resources_stand_as_written(mfd: Kubectl) -> None:
    change(mfd, {"spec": {"resources": {"requests": None, "limits": {"cpu": 1}}}})
    assert read(mfd)["spec"]["resources"] == {"limits": {"cpu": 1}}


def test_a_new_resource_says_that_nobody_has_seen_it(mfd: Kubectl) -> None:
    assert read(mfd)["status"] == {"observedGeneration": -1}


def test_an_apply_cannot_write_the_status(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=f"{MINIMAL}status: {{phase: Healthy, observedGeneration: 1}}\n")
    assert read(kubectl)["status"] == {"observedGeneration": -1}


def test_a_status_is_stored_whole_and_leaves_the_generation_alone(mfd: Kubectl) -> None:
    report(mfd, STATUS)
    stored = read(mfd)
    assert stored["status"] == STATUS
    assert stored["metadata"]["generation"] == 1


def test_waiting_for_ready_right_after_apply_waits(mfd: Kubectl) -> None:
    waited = mfd.run("wait", "--for=condition=Ready", "mfd/claim-classifier", "--timeout=1s")
    assert waited.returncode != 0
    assert "timed out" in waited.stderr


def test_waiting_for_ready_ends_when_it_is(mfd: Kubectl) -> None:
    report(mfd, {"conditions": [READY]})
    assert "condition met" in mfd("wait", "--for=condition=Ready", "mfd/claim-classifier", "--timeout=10s")


def test_a_list_reads_well_at_100_columns(mfd: Kubectl) -> None:
    report(mfd, STATUS)
    header, line = mfd("get", "modelfleet").splitlines()
    assert header.split() == ["NAME", "READY", "MODEL", "VERSION", "PHASE", "PROGRESS", "AGE"]
    assert re.match(r"claim-classifier +False +claim-classifier +12 +Progressing +2/3 ready +\d+s$", line)
    assert max(len(header), len(line)) <= 100


def test_a_wide_list_adds_endpoint_and_message(mfd: Kubectl) -> None:
    report(mfd, STATUS)
    header, line = mfd("get", "modeldeployments", "-o", "wide").splitlines()
    assert header.split()[-2:] == ["ENDPOINT", "MESSAGE"]
    assert line.endswith("http://claim-classifier.insurance.svc   Rolling out 12: 2 of 3 pods are updated.")


def test_scale_changes_the_replicas(mfd: Kubectl) -> None:
    mfd("scale", "mfd/claim-classifier", "--replicas=3")
    assert read(mfd)["spec"]["replicas"] == 3


def test_an_autoscaler_finds_count_and_selector(mfd: Kubectl) -> None:
    report(mfd, STATUS)
    path = f"/apis/modelfleet.dev/v1alpha1/namespaces/{mfd.namespace}/modeldeployments/claim-classifier/scale"
    scale = json.loads(mfd("get", "--raw", path))
    assert scale["status"] == {"replicas": 4, "selector": "modelfleet.dev/deployment=claim-classifier"}
