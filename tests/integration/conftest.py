"""A real kube-apiserver with the CRD installed, and a fresh namespace for each test.

`MODELFLEET_KUBECONFIG` takes an API server that runs already; `MODELFLEET_KEEP=1` keeps the one started here.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.definitions import established
from tests.support.kubectl import Kubectl
from tests.support.operator import SYSTEM, install, kubeconfig_of

REPOSITORY = Path(__file__).parents[2]
CRD = REPOSITORY / "crds" / "modeldeployments.yaml"
CLUSTER = "modelfleet-test"


@pytest.fixture(scope="session")
def control_plane() -> Iterator[Path]:
    """The kubeconfig of an API server that knows ModelDeployments; nothing runs pods there."""
    given = os.environ.get("MODELFLEET_KUBECONFIG")
    if not given:
        local("up", CLUSTER, "--control-plane")
    kubeconfig = Path(given or local("kubeconfig", CLUSTER).strip())
    kubectl = Kubectl(kubeconfig)
    kubectl("apply", "--server-side", "--force-conflicts", "-f", CRD)
    established(kubectl, "modeldeployments.modelfleet.dev")
    yield kubeconfig
    if not (given or os.environ.get("MODELFLEET_KEEP")):
        local("down", CLUSTER)


@pytest.fixture
def namespace(control_plane: Path) -> Iterator[str]:
    """The name of a namespace that only this test uses."""
    name = f"test-{uuid4().hex[:8]}"
    kubectl = Kubectl(control_plane)
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def kubectl(control_plane: Path, namespace: str) -> Kubectl:
    """kubectl in the namespace of the test."""
    return Kubectl(control_plane, namespace)


@pytest.fixture(scope="session")
def operator_kubeconfig(control_plane: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The way into the cluster that the operator's service account has."""
    kubectl = Kubectl(control_plane, SYSTEM)
    install(kubectl)
    return kubeconfig_of(kubectl, tmp_path_factory.mktemp("credentials"))


def local(*arguments: str) -> str:
    command = [sys.executable, "-m", "local", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
