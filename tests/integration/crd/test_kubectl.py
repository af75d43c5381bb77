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
FAILURE = {"reason": "ErrorRateTooHigh", "message": "Too many requests fail."}
ROLLOUT = {
    "revision": "3fa1c2d4e5",
    "models": "claim-classifier 12",
    "previous": "0b1c2d3e4f",
    "phase": "Canary",
    "step": 2,
    "steps": 3,
    "startedAt": "2026-01-01T00:00:00Z",
    "since": "2026-01-01T00:05:00Z",
    "readySince": "2026-01-01T00:05:30Z",
    "bakedSeconds": 0,
    "canary": {
        "replicas": 2,
        "readyReplicas": 1,
        "desiredPercent": 25,
        "podPercent": 33,
        "requestPercent": 31,
    },
    "analysis": {
        "outcome": "Inconclusive",
        "reason": "TooFewRequests",
        "message": "The new revision has answered 3 of the 200 requests that are needed.",
        "checkedAt": "2026-01-01T00:06:00Z",
        "baseline": [
            {"pod": "1f1c6a52-9f0e-4d0a-8b6e-000000000001", "requests": 2**53, "errors": 3, "slow": 0},
            {"pod": "1f1c6a52-9f0e-4d0a-8b6e-000000000002", "requests": 0, "errors": 0, "slow": 0},
        ],
    },
    "failure": FAILURE,
}
STATUS = {
    "observedGeneration": 1,
    "phase": "Progressing",
    "progress": "2/3 ready",
    "regionsReady": "1/2",
    "message": "Rolling out 12: 2 of 3 pods are updated.",
    "revision": "3fa1c2d4e5",
    "stableRevision": "0b1c2d3e4f",
    "rollout": ROLLOUT,
    "commands": {"abort": "0b1c2d3e4f", "promote": "3fa1c2d4e5:1", "retry": "3fa1c2d4e5:again"},
    "history": [
        {
            "revision": "7a8b9c0d1e",
            "models": "claim-classifier 11",
            "result": "RolledBack",
            "startedAt": "2026-01-01T00:00:00Z",
            "finishedAt": "2026-01-01T00:10:00Z",
            **FAILURE,
        },
        {"revision": "0b1c2d3e4f", "result": "Succeeded"},
    ],
    "rejected": [
        {"revision": "7a8b9c0d1e", "models": "claim-classifier 11", "at": "2026-01-01T00:05:00Z", **FAILURE}
    ],
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


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ({}, {}),
        ({"canary": {"steps": [10]}}, {"canary": {"steps": [10], "pause": "5m"}}),
        (
            {"canary": {"steps": [10], "pause": "0s"}, "analysis": {"maxErrorRate": "1%"}},
            {"canary": {"steps": [10], "pause": "0s"}, "analysis": {"maxErrorRate": "1%", "minRequests": 200}},
        ),
    ],
)
def test_a_rollout_is_filled_in_where_something_is_written(
    mfd: Kubectl, written: dict[str, Any], stored: dict[str, Any]
) -> None:
    change(mfd, {"spec": {"rollout": written}})
    assert read(mfd)["spec"]["rollout"] == stored | {"onFailure": "Rollback", "progressDeadline": "15m"}


def test_what_is_written_of_a_rollout_stands(mfd: Kubectl) -> None:
    rollout = {
        "canary": {"steps": [5, 50], "pause": "1h30m"},
        "analysis": {"maxErrorRate": "0.5%", "maxLatencyP99": "250ms", "minRequests": 1000},
        "bake": "24h",
        "onFailure": "Pause",
        "progressDeadline": "90s",
        "paused": False,
        "freeze": [
            {"from": "2026-12-20T00:00:00Z", "to": "2027-01-03T00:00:00+01:00", "reason": "end of the year"}
        ],
    }
    change(mfd, {"spec": {"rollout": rollout}})
    assert read(mfd)["spec"]["rollout"] == rollout


@pytest.mark.parametrize("phase", ["Progressing", "Healthy", "Degraded", "Waiting", "Paused", "RollingBack"])
def test_a_status_has_one_of_the_phases(mfd: Kubectl, phase: str) -> None:
    report(mfd, {"phase": phase})
    assert read(mfd)["status"]["phase"] == phase


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        ({"phase": "Done"}, "status.phase: Unsupported value"),
        ({"stableRevision": "3FA1C2D4E5"}, "stableRevision in body should match"),
        ({"rollout": ROLLOUT | {"phase": "Done"}}, "status.rollout.phase: Unsupported value"),
        ({"rollout": ROLLOUT | {"step": 0}}, "rollout.step in body should be greater than or equal to 1"),
        ({"rollout": ROLLOUT | {"canary": {"podPercent": 101}}}, "should be less than or equal to 100"),
        (
            {"history": [{"revision": "3fa1c2d4e5", "result": "Done"}]},
            "status.history[0].result: Unsupported value",
        ),
        ({"history": [{"revision": "3fa1c2d4e5", "result": "Succeeded"}] * 11}, "must have at most 10 items"),
        ({"rejected": [{"revision": "3fa1c2d4e5"}]}, "status.rejected[0].reason: Required value"),
    ],
)
def test_a_status_that_cannot_be_is_refused(mfd: Kubectl, status: dict[str, Any], refusal: str) -> None:
    patch = json.dumps({"status": status})
    refused = mfd.run("patch", "mfd/claim-classifier", "--type=merge", "-p", patch, "--subresource=status")
    assert refused.returncode != 0
    assert refusal in refused.stderr


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
    assert header.split() == ["NAME", "READY", "MODEL", "VERSION", "PHASE", "PROGRESS", "REGIONS", "AGE"]
    assert re.match(r"claim-classifier +False +claim-classifier +12 +Progressing +2/3 ready +1/2 +\d+s$", line)
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
