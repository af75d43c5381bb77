"""A hub and two member clusters, each a real API server without nodes, and an operator that knows both."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import local
from tests.support.kubectl import Kubectl
from tests.support.members import RIGHTS, Member, description, grant
from tests.support.operator import SYSTEM, OperatorProcess

REGIONS = {"modelfleet-west": "westeurope", "modelfleet-north": "northeurope"}
VARIABLES = {"MODELFLEET_ARGOCD_NAMESPACE": SYSTEM, "MODELFLEET_SETTLE_SECONDS": "2"}
"""With these the operator finds its members."""


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
    process = OperatorProcess.start(operator_kubeconfig, tmp_path_factory.mktemp("operator"), variables=VARIABLES)
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
