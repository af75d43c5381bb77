"""Nothing to do means nothing written, also for a process that has just started and looks at everything."""

import re
from pathlib import Path
from urllib.request import urlopen

from tests.support import kubelet
from tests.support.audit import AuditLog
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import apply, model_deployment, read_all
from tests.support.operator import OperatorProcess, StartOperator

COUNT = 50
SUCCESSES = re.compile(rb'modelfleet_reconcile_duration_seconds_count\{result="Success"\} ([0-9.]+)')


def reconciled(operator: OperatorProcess) -> float:
    """How many reconciles have succeeded in this process."""
    with urlopen(f"http://127.0.0.1:{operator.port}/metrics") as page:
        return sum(map(float, SUCCESSES.findall(page.read())))


def test_a_new_leader_finds_fifty_ready_model_deployments_and_writes_nothing(
    kubectl: Kubectl, control_plane: Path, start_operator: StartOperator
) -> None:
    first = start_operator().wait_until_leading()
    resources = {"requests": {"cpu": "1500m", "memory": "1024Mi"}, "limits": {"memory": "2G"}}
    env = [
        {"name": "EMPTY", "value": ""},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    ]
    tolerations = [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}]
    names = [f"claims-{number}" for number in range(COUNT)]
    apply(kubectl, *(model_deployment(n, resources=resources, env=env, tolerations=tolerations) for n in names))
    for name in names:
        kubelet.make_ready(kubectl, name)
    eventually(lambda: all_healthy(kubectl), within_s=90)
    first.stop()
    audit = AuditLog.of(control_plane)
    second = start_operator("operator-1").wait_until_leading()
    eventually(lambda: reconciled(second) >= COUNT, within_s=60)
    second.stop()
    in_namespace = [write for write in audit.writes() if f"/{kubectl.namespace}/" in write]
    assert in_namespace == []


def all_healthy(kubectl: Kubectl) -> bool:
    return [m.get("status", {}).get("phase") for m in read_all(kubectl, "mfd")] == ["Healthy"] * COUNT
