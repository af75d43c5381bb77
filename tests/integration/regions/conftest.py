"""A hub and two member clusters, each a real API server without nodes, and an operator that knows both."""

import json
import os
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelfleet.core.inventory.rights import needed
from tests.integration.conftest import local
from tests.support.kubectl import Kubectl
from tests.support.operator import SYSTEM, OperatorProcess

REPOSITORY = Path(__file__).parents[3]
REGIONS = {"modelfleet-west": "westeurope", "modelfleet-north": "northeurope"}
ACCOUNT = "modelfleet-hub"
RIGHTS = REPOSITORY / "manifests/components/members/rbac.yaml"


@dataclass(frozen=True)
class Member:
    """A member cluster."""

    name: str
    region: str
    kubeconfig: Path

    def kubectl(self, namespace: str = "") -> Kubectl:
        """kubectl in a namespace of the member."""
        return Kubectl(self.kubeconfig, namespace)


@pytest.fixture(scope="package")
def members() -> Iterator[dict[str, Member]]:
    """The members by their regions."""
    found = {}
    for name, region in REGIONS.items():
        local("up", name, "--control-plane")
        found[region] = Member(name, region, Path(local("kubeconfig", name).strip()))
        grant(found[region])
    yield found
    if not os.environ.get("MODELFLEET_KEEP"):
        for name in REGIONS:
            local("down", name)


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


@pytest.fixture(scope="package")
def joined(
    control_plane: Path, operator_kubeconfig: Path, members: dict[str, Member]
) -> Iterator[dict[str, Member]]:
    """The members, which the hub knows, and with the rights to use them."""
    hub = Kubectl(control_plane, SYSTEM)
    hub("apply", "-f", RIGHTS)
    for member in members.values():
        hub("apply", "-f", "-", stdin=json.dumps(description(member)))
    yield members
    hub("delete", "secret", *(member.name for member in members.values()))
    hub("delete", "-f", RIGHTS)


@pytest.fixture(scope="module")
def operator(
    operator_kubeconfig: Path, joined: dict[str, Member], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """An operator that leads and knows the members."""
    variables = {"MODELFLEET_ARGOCD_NAMESPACE": SYSTEM}
    process = OperatorProcess.start(operator_kubeconfig, tmp_path_factory.mktemp("operator"), variables=variables)
    yield process.wait_until_leading()
    assert process.stop() == 0
    assert "Traceback" not in process.log.read_text()


@pytest.fixture
def places(kubectl: Kubectl, joined: dict[str, Member]) -> Iterator[dict[str, Kubectl]]:
    """kubectl in the namespace of the test, in each region."""
    for member in joined.values():
        member.kubectl()("create", "namespace", kubectl.namespace)
    yield {region: member.kubectl(kubectl.namespace) for region, member in joined.items()}
    for member in joined.values():
        member.kubectl()("delete", "namespace", kubectl.namespace, "--wait=false")
