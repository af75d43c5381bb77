"""A real API server that describes itself as a member, in all forms that there are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.integration.kube.gate import Gate, gate_to
from tests.support.definitions import install_cluster_profiles
from tests.support.kubectl import Kubectl
from tests.unit.inventory.descriptions import b64, cluster_profile, kubeconfig

COMMAND = [sys.executable, "-m", "modelfleet.cli.main", "cluster"]
REPOSITORY = Path(__file__).parents[3]


@dataclass(frozen=True)
class Way:
    """How the administrator gets into the cluster, as the kubeconfig has it: all but the server in base64."""

    server: str
    ca: str
    certificate: str
    key: str


@pytest.fixture(scope="session")
def way(control_plane: Path) -> Way:
    told = Kubectl(control_plane)("config", "view", "--raw", "--flatten", "--minify", "-o", "json")
    config = json.loads(told)
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    in_base64 = user["client-certificate-data"], user["client-key-data"]
    return Way(cluster["server"], cluster["certificate-authority-data"], *in_base64)


@pytest.fixture(scope="session")
def profiles(control_plane: Path) -> None:
    """The cluster knows ClusterProfiles."""
    install_cluster_profiles(Kubectl(control_plane))


@pytest.fixture
async def gate(way: Way) -> AsyncIterator[Gate]:
    address = urlsplit(way.server)
    async with gate_to(address.hostname or "", address.port or 443) as gate:
        yield gate


@pytest.fixture
def token(kubectl: Kubectl) -> str:
    """The token of a service account of the test's namespace, called member, that has no rights."""
    kubectl("create", "serviceaccount", "member")
    return kubectl("create", "token", "member").strip()


def put_argocd(kubectl: Kubectl, way: Way, token: str, name: str = "west", **changes: Any) -> None:
    """Describe the cluster as Argo CD does; `server`, `tls` and `labels` may be others."""
    tls = {"caData": way.ca, **changes.get("tls", {})}
    config = changes.get("config", {"bearerToken": token, "tlsClientConfig": tls})
    data = {"name": name, "server": changes.get("server", way.server), "config": json.dumps(config)}
    labels = {"argocd.argoproj.io/secret-type": "cluster", **changes.get("labels", {})}
    put(kubectl, "v1", "Secret", f"argocd-{name}", labels, {"stringData": data})


def put_cluster_api(kubectl: Kubectl, way: Way, name: str = "west", user: dict[str, str] | None = None) -> None:
    """Describe the cluster as Cluster API does, with a client certificate, beside its other Secret."""
    shown = {"client-certificate-data": way.certificate, "client-key-data": way.key}
    cluster = {"server": way.server, "certificate-authority-data": way.ca}
    config = json.dumps(kubeconfig(user or shown, cluster))
    labels = {"cluster.x-k8s.io/cluster-name": name}
    secret = {"type": "cluster.x-k8s.io/secret", "data": {"value": b64(config)}}
    put(kubectl, "v1", "Secret", f"{name}-kubeconfig", labels, secret)
    put(kubectl, "v1", "Secret", f"{name}-ca", labels, {**secret, "data": {"tls.crt": way.ca}})


def put_profile(kubectl: Kubectl, way: Way, name: str = "west", **changes: Any) -> None:
    """Describe the cluster as a fleet manager does."""
    cluster = {"server": way.server, "certificate-authority-data": way.ca}
    status = cluster_profile(cluster, **changes)["status"]
    put(kubectl, "multicluster.x-k8s.io/v1alpha1", "ClusterProfile", name, {}, {"status": status})


def put(
    kubectl: Kubectl, version: str, kind: str, name: str, labels: dict[str, str], more: dict[str, Any]
) -> None:
    metadata = {"name": name, "labels": labels}
    manifest = {"apiVersion": version, "kind": kind, "metadata": metadata, **more}
    kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(manifest))


def run(kubectl: Kubectl, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The finished command."""
    ours = {"KUBECONFIG": str(kubectl.kubeconfig), "PYTHONPATH": str(REPOSITORY / "operator")}
    environment = os.environ | ours | variables
    command = [*COMMAND, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def table(kubectl: Kubectl, *arguments: str) -> tuple[dict[str, str], str]:
    """The last word of each line of the list by the first, and what is told below it."""
    finished = run(kubectl, "list", *arguments)
    assert (finished.returncode, finished.stderr) == (0, "")
    lines, _, below = finished.stdout.partition("\n\n")
    heading, *rows = lines.splitlines()
    assert heading.split() == ["NAME", "REGION", "SOURCE", "SERVER", "STATE"]
    return {row.split()[0]: row.split()[-1] for row in rows}, below
