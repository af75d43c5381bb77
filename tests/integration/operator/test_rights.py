"""The shipped rights are exactly what the operator uses: no rule is missing, and none is too many."""

from itertools import product
from pathlib import Path

import yaml

from tests.support import gateway, kubelet
from tests.support.audit import AuditLog, Permission
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import Manifest, apply, exists, model_deployment, read, ready_reason
from tests.support.operator import REPOSITORY, StartOperator

GATEWAY = {"parentRef": {"name": "public"}}
RBAC = REPOSITORY / "manifests/base/rbac.yaml"


def granted() -> set[Permission]:
    """Every permission of the operator's roles."""
    documents = yaml.safe_load_all(RBAC.read_text())
    roles = [d for d in documents if d["kind"] in {"Role", "ClusterRole"} and "operator" in d["metadata"]["name"]]
    return {
        permission
        for role in roles
        for rule in role["rules"]
        for permission in product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }


def test_every_right_is_used_and_every_use_is_a_right(
    kubectl: Kubectl, control_plane: Path, start_operator: StartOperator
) -> None:
    kubectl.run("delete", "lease", "modelfleet-operator", "--namespace", "modelfleet-system")
    audit = AuditLog.of(control_plane)
    a_life(kubectl, start_operator)
    assert audit.refusals() == []
    eventually(lambda: audit.permissions() >= granted())
    assert audit.permissions() == granted()


def a_life(kubectl: Kubectl, start_operator: StartOperator) -> None:
    """Everything that makes the operator ask for something."""
    gateway.define(kubectl)
    secret = {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {"name": "storage"},
        "stringData": {"sasToken": "s"},
    }
    with_secret = model_deployment(model={"credentials": {"secretName": "storage"}})
    first = start_operator().wait_until_leading()
    meet_objects_of_others(kubectl)
    apply(kubectl, secret, with_secret)
    exists(kubectl, "secret", "claims-model")
    kubelet.make_ready(kubectl)
    revision = ready_reason(kubectl, "Serving")["revision"]
    kubectl("delete", "secret", "claims-model")
    exists(kubectl, "secret", "claims-model")
    first.stop()
    second = start_operator("operator-1").wait_until_leading()
    apply(kubectl, model_deployment())
    kubelet.settle(kubectl)
    eventually(lambda: read(kubectl, "secret", "claims-model") is None)
    apply(kubectl, secret, with_secret)
    kubelet.make_ready(kubectl, revision=revision)
    ready_reason(kubectl, "Serving")
    have_a_canary(kubectl)
    second.stop()


def have_a_canary(kubectl: Kubectl) -> None:
    """Have a version pass its canary, which goes afterwards."""
    rollout = {"canary": {"steps": [50], "pause": "1s"}}
    apply(kubectl, model_deployment(version="2", rollout=rollout))
    exists(kubectl, "deployment", "claims-canary")
    kubelet.settle(kubectl, within_s=60)
    eventually(lambda: read(kubectl, "deployment", "claims-canary") is None)
    shadow = {**rollout, "analysis": {"shadow": {"percent": 10}}}
    apply(kubectl, model_deployment(version="2", rollout=shadow, gateway=GATEWAY))
    exists(kubectl, "configmap", "claims-settings")
    gateway.accept(kubectl)
    kubelet.settle(kubectl)
    apply(kubectl, model_deployment(version="2", rollout=rollout))
    eventually(lambda: read(kubectl, "service", "claims-canary") is None)
    eventually(lambda: read(kubectl, "httproute", "claims") is None)


def meet_objects_of_others(kubectl: Kubectl) -> None:
    """Have one ModelDeployment for each kind of object whose name is taken already."""
    labels = {"app": "theirs"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "theirs:1"}]}}
    taken: dict[str, tuple[str, Manifest]] = {
        "ServiceAccount": ("v1", {}),
        "NetworkPolicy": ("networking.k8s.io/v1", {"spec": {"podSelector": {}}}),
        "PodDisruptionBudget": ("policy/v1", {"spec": {"selector": {"matchLabels": labels}}}),
        "Service": ("v1", {"spec": {"ports": [{"port": 9}]}}),
        "Deployment": ("apps/v1", {"spec": {"selector": {"matchLabels": labels}, "template": pod}}),
        "HTTPRoute": ("gateway.networking.k8s.io/v1", {"spec": {}}),
    }
    for kind, (version, body) in taken.items():
        name = kind.lower()
        theirs = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **body}
        apply(kubectl, theirs, model_deployment(name, gateway=GATEWAY))
        assert (
            f"A {kind} {name} that this ModelDeployment did not make"
            in ready_reason(kubectl, "NameConflict", name)["message"]
        )
        kubectl("delete", "mfd", name)
    wait_for_samples(kubectl)


def wait_for_samples(kubectl: Kubectl) -> None:
    """Have one ask for golden samples that nobody has written."""
    rollout = {"canary": {"steps": [50]}, "analysis": {"smoke": {"configMapRef": "golden"}}}
    apply(kubectl, model_deployment("sampled", rollout=rollout))
    kubelet.settle(kubectl, "sampled")
    apply(kubectl, model_deployment("sampled", version="2", rollout=rollout))
    ready_reason(kubectl, "SamplesMissing", "sampled")
    kubectl("delete", "mfd", "sampled")
