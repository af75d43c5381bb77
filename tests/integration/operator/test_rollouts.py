"""Rollouts on a real API server, whose pods become ready when the test says so."""

import re
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.support import kubelet
from tests.support.audit import AuditLog
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import Manifest, apply, exists, model_deployment, read, ready_reason, status_of
from tests.support.operator import OperatorProcess, StartOperator

SUCCESSES = re.compile(rb'modelfleet_reconcile_duration_seconds_count\{result="Success"\} ([0-9.]+)')
FOR_HOURS = {"canary": {"steps": [50], "pause": "1h"}, "analysis": {"maxErrorRate": "1%"}}


def claims(version: str, **spec: Any) -> Manifest:
    return model_deployment(version=version, rollout=FOR_HOURS, **spec)


def serve(kubectl: Kubectl, version: str, **spec: Any) -> None:
    apply(kubectl, claims(version, **spec))
    exists(kubectl, "deployment", "claims")
    kubelet.settle(kubectl, within_s=60)


def start_canary(kubectl: Kubectl, version: str, **spec: Any) -> Manifest:
    """Apply a version and make its canary's pods ready; return the status."""
    apply(kubectl, claims(version, **spec))
    exists(kubectl, "deployment", "claims-canary")
    revision = eventually(lambda: status_of(kubectl)["rollout"]["revision"])
    count = exists(kubectl, "deployment", "claims-canary")["spec"]["replicas"]
    kubelet.make_ready(kubectl, revision=revision, count=count)
    return ready_reason(kubectl, "CanaryRunning")


def reconciled(operator: OperatorProcess) -> float:
    """How many reconciles have succeeded in this process."""
    with urlopen(f"http://127.0.0.1:{operator.port}/metrics") as page:
        return sum(map(float, SUCCESSES.findall(page.read())))


def test_a_rollout_that_waits_in_its_pause_writes_nothing_and_survives_its_operator(
    kubectl: Kubectl, control_plane: Path, start_operator: StartOperator
) -> None:
    first = start_operator().wait_until_leading()
    serve(kubectl, "1")
    before = start_canary(kubectl, "2")
    first.kill()
    kubectl("delete", "lease", "modelfleet-operator", "--namespace", "modelfleet-system")
    audit = AuditLog.of(control_plane)
    second = start_operator("operator-1").wait_until_leading()
    eventually(lambda: reconciled(second) >= 3, within_s=60)
    assert [write for write in audit.writes() if f"/{kubectl.namespace}/" in write] == []
    assert status_of(kubectl) == before
    second.stop()


def test_an_autoscaler_may_change_the_stable_pods_and_the_canary_follows(
    kubectl: Kubectl, start_operator: StartOperator
) -> None:
    operator = start_operator().wait_until_leading()
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "claims"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "claims"},
            "minReplicas": 2,
            "maxReplicas": 9,
        },
    }
    serve(kubectl, "1", replicas=2)
    apply(kubectl, autoscaler)
    start_canary(kubectl, "2", replicas=2)
    kubectl("scale", "deployment/claims", "--replicas=3")
    eventually(lambda: exists(kubectl, "deployment", "claims-canary")["spec"]["replicas"] == 3)
    assert exists(kubectl, "deployment", "claims")["spec"]["replicas"] == 3
    operator.stop()


def test_somebody_elses_deployment_of_the_canarys_name_is_left_alone(
    kubectl: Kubectl, start_operator: StartOperator
) -> None:
    operator = start_operator().wait_until_leading()
    serve(kubectl, "1")
    stable = exists(kubectl, "deployment", "claims")["metadata"]["generation"]
    kubectl("create", "deployment", "claims-canary", "--image=theirs:1")
    apply(kubectl, claims("2"))
    status = ready_reason(kubectl, "NameConflict")
    assert "A Deployment claims-canary that this ModelDeployment did not make" in status["message"]
    assert exists(kubectl, "deployment", "claims")["metadata"]["generation"] == stable
    kubectl("delete", "deployment", "claims-canary")
    eventually(lambda: status_of(kubectl).get("rollout", {}).get("phase") == "Canary")
    operator.stop()


def test_a_canary_that_would_take_more_than_was_asked_for_is_refused_until_there_are_enough_pods(
    kubectl: Kubectl, start_operator: StartOperator
) -> None:
    operator = start_operator().wait_until_leading()
    tenth = {"canary": {"steps": [10], "pause": "1h"}}
    serve(kubectl, "1")
    apply(kubectl, model_deployment(version="2", rollout=tenth))
    assert "at least 4 replicas" in ready_reason(kubectl, "CanaryTooCoarse")["message"]
    assert read(kubectl, "deployment", "claims-canary") is None
    apply(kubectl, model_deployment(version="2", rollout=tenth, replicas=4))
    assert exists(kubectl, "deployment", "claims-canary")["spec"]["replicas"] == 1
    operator.stop()
