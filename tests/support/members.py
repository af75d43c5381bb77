"""Member clusters as a hub gets to know them: an account with the rights that it needs, and a description."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from modelfleet.core.inventory.rights import needed
from tests.support.kubectl import Kubectl
from tests.support.operator import SYSTEM

ACCOUNT = "modelfleet-hub"
RIGHTS = Path(__file__).parents[2] / "manifests/components/members/rbac.yaml"
"""What the operator on the hub needs beyond manifests/base."""


@dataclass(frozen=True)
class Member:
    """A member cluster."""

    name: str
    region: str
    kubeconfig: Path

    def kubectl(self, namespace: str = "") -> Kubectl:
        """kubectl in a namespace of the member."""
        return Kubectl(self.kubeconfig, namespace)


def grant(member: Member) -> None:
    """Give the hub's account all rights that it needs in the member, and no others."""
    rules = [
        {"apiGroups": [right.group], "resources": [right.resource], "verbs": [right.verb]}
        | ({"resourceNames": [right.name]} if right.name else {})
        for right in needed()
    ]
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1"}
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": SYSTEM}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ACCOUNT}
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT, "namespace": SYSTEM}},
        {**rbac, "kind": "ClusterRole", "metadata": {"name": ACCOUNT}, "rules": rules},
        {
            **rbac,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": ACCOUNT},
            "roleRef": role,
            "subjects": [subject],
        },
    ]
    member.kubectl()("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def description(member: Member) -> dict[str, object]:
    """The member as Argo CD describes it."""
    config = json.loads(member.kubectl()("config", "view", "--raw", "--flatten", "--minify", "-o", "json"))
    cluster = config["clusters"][0]["cluster"]
    token = member.kubectl(SYSTEM)("create", "token", ACCOUNT, "--duration", "8h").strip()
    access = {"bearerToken": token, "tlsClientConfig": {"caData": cluster["certificate-authority-data"]}}
    data = {"name": member.name, "server": cluster["server"], "config": json.dumps(access)}
    labels = {"argocd.argoproj.io/secret-type": "cluster", "topology.kubernetes.io/region": member.region}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": member.name, "namespace": SYSTEM, "labels": labels},
        "data": {key: b64encode(value.encode()).decode() for key, value in data.items()},
    }
