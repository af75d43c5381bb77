"""Members of a hub, described to it by Secrets of Argo CD; each behind a gate, and some in another cluster.

`MODELFLEET_OTHER_KUBECONFIG` takes another API server that runs already; `MODELFLEET_KEEP=1` keeps the one that is
started here.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from modelfleet.kube.auth import connect
from modelfleet.kube.client import KubeClient
from tests.integration.conftest import local
from tests.integration.kube.gate import Gate, gate_to
from tests.integration.members.fleet import Access, Fleet
from tests.support.kubectl import Kubectl

OTHER = "modelfleet-test-other"


@pytest.fixture(scope="session")
def other_plane() -> Iterator[Path]:
    """The kubeconfig of another API server."""
    given = os.environ.get("MODELFLEET_OTHER_KUBECONFIG")
    if not given:
        local("up", OTHER, "--control-plane")
    yield Path(given or local("kubeconfig", OTHER).strip())
    if not (given or os.environ.get("MODELFLEET_KEEP")):
        local("down", OTHER)


@pytest.fixture
def access(control_plane: Path) -> Access:
    """How the administrator gets into the hub."""
    return Access.of(control_plane)


@pytest.fixture
def other(other_plane: Path) -> Access:
    """How the administrator gets into the other cluster."""
    return Access.of(other_plane)


@pytest.fixture
async def hub(control_plane: Path) -> AsyncIterator[KubeClient]:
    async with await connect(control_plane, None) as client:
        yield client


@pytest.fixture
async def there(other_plane: Path, namespace: str) -> AsyncIterator[KubeClient]:
    """A client of the other cluster, which has the namespace of the test, too."""
    kubectl = Kubectl(other_plane)
    kubectl("create", "namespace", namespace)
    async with await connect(other_plane, None) as client:
        yield client
    kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
async def gate(access: Access) -> AsyncIterator[Gate]:
    """A way into the hub that can be shut."""
    async with gate_to(*address(access)) as gate:
        yield gate


@pytest.fixture
async def other_gate(other: Access) -> AsyncIterator[Gate]:
    """A way into the other cluster that can be shut."""
    async with gate_to(*address(other)) as gate:
        yield gate


@pytest.fixture
def fleet(hub: KubeClient, namespace: str) -> Fleet:
    """The descriptions in the namespace of the test: none yet."""
    return Fleet(hub, namespace)


def address(access: Access) -> tuple[str, int]:
    """The host and port of an API server."""
    url = urlsplit(access.server)
    return url.hostname or "", url.port or 443
