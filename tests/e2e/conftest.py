"""A real cluster with a node, real images, real storage, and the operator in it as its users install it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from bench.load import Outcome, offer
from samples.upload import upload
from tests.e2e.secrecy import Planted
from tests.e2e.witness import Witness
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import exists
from tests.support.operator import SYSTEM

REPOSITORY = Path(__file__).parents[2]
CLUSTER = "modelfleet-e2e"
STORAGE = "http://demo.blob.svc.cluster.local:10000/models"
CLAIMS = [claim["text"] for claim in json.loads((REPOSITORY / "samples/claims/claims.json").read_text())]


@dataclass(frozen=True)
class Storage:
    """The blob storage of the cluster."""

    connection_string: str
    planted: Planted

    def put(self, folder: Path, container: str, *, public: bool = True) -> None:
        """Upload a folder into a container, which anybody may read if public."""
        upload(self.connection_string, folder, container, public=public)

    @property
    def account_key(self) -> str:
        """The key that opens everything."""
        return self.connection_string.split("AccountKey=")[1].split(";")[0]

    def sas(self, container: str) -> str:
        """A token that lets its bearer read one container for an hour."""
        token = generate_container_sas(
            "demo",
            container,
            self.account_key,
            permission=ContainerSasPermissions(read=True, list=True),
            expiry=datetime.now(UTC) + timedelta(hours=1),
        )
        return self.planted.plant(f"the SAS token for {container}", token)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Path]:
    """The kubeconfig of a cluster that runs the operator from its images."""
    local("up", CLUSTER)
    local("load", CLUSTER, *local("images").split())
    kubeconfig = Path(local("kubeconfig", CLUSTER).strip())
    kubectl = Kubectl(kubeconfig, SYSTEM)
    kubectl("apply", "--server-side", "-k", REPOSITORY / "manifests/overlays/local")
    kubectl("rollout", "status", "deployment/modelfleet-operator", "--timeout=300s")
    yield kubeconfig
    if not os.environ.get("MODELFLEET_KEEP"):
        local("down", CLUSTER)


@pytest.fixture(scope="session")
def planted() -> Planted:
    """Where every test notes the secrets that it brings into the cluster."""
    return Planted()


@pytest.fixture(scope="session")
def witness(cluster: Path, planted: Planted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    """Who sees it when a secret gets out."""
    found = Witness(cluster, tmp_path_factory.mktemp("seen"), planted)
    yield found
    try:
        assert found.leaks() == []
    finally:
        found.close()


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample models, freshly trained."""
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-m", "samples.claims.train", "--to", folder], cwd=REPOSITORY, check=True)
    return folder


@pytest.fixture(scope="session")
def storage(witness: Witness, models: Path) -> Storage:
    """Azurite with the sample models in the container `models`."""
    found = Storage(local("storage", "up", CLUSTER).strip(), witness.planted)
    found.planted.plant("the key of the account", found.account_key)
    found.put(models, "models")
    found.put(models, "private", public=False)
    return found


@pytest.fixture
def kubectl(cluster: Path, storage: Storage, witness: Witness) -> Iterator[Kubectl]:
    """kubectl in a namespace that only this test uses, and in which no secret may be seen."""
    name = f"e2e-{uuid4().hex[:8]}"
    Kubectl(cluster)("create", "namespace", name)
    yield Kubectl(cluster, name)
    try:
        assert witness.leaks() == []
    finally:
        Kubectl(cluster)("delete", "namespace", name, "--wait=false")


@dataclass
class Users:
    """Two crowds of users of one endpoint: one keeps its connections, one makes a new one for each request."""

    outcomes: list[Outcome]

    @property
    def failures(self) -> int:
        return sum(outcome.failures for outcome in self.outcomes)

    def versions(self) -> set[str]:
        """The versions that gave an answer."""
        return {version for outcome in self.outcomes for version in outcome.answered}


@asynccontextmanager
async def users(
    kubectl: Kubectl, rate_per_s: float = 100, *, url: str = "", host: str = ""
) -> AsyncIterator[Users]:
    """Load from both crowds, `rate_per_s` each, as long as the block lasts; the outcome is known after it.

    They come by the Service, or by the Gateway at `url`, which knows the endpoint as `host`.
    """
    url, stop = url or endpoint(kubectl), asyncio.Event()
    crowds = [
        asyncio.create_task(
            offer(url, "claims", CLAIMS[:1], rate_per_s=rate_per_s, keep_alive=keep_alive, stop=stop, host=host)
        )
        for keep_alive in (True, False)
    ]
    found = Users([])
    try:
        yield found
    finally:
        stop.set()
        found.outcomes = list(await asyncio.gather(*crowds))


def endpoint(kubectl: Kubectl, name: str = "claims") -> str:
    """The address of a Service, which this machine reaches as a node does."""
    return f"http://{exists(kubectl, 'service', name)['spec']['clusterIP']}"


def local(*arguments: str) -> str:
    """What the local cluster tool prints."""
    command = [sys.executable, "-m", "local", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
