"""The command lists the members that a cluster describes, and which of them answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.integration.inventory.conftest import Way, put_argocd, put_cluster_api, put_profile, run, table
from tests.integration.kube.gate import Gate
from tests.support.kubectl import Kubectl
from tests.unit.inventory.descriptions import TENANT

SIGN_IN = "--provider=fleet=azure-workload-identity"


@pytest.fixture
def admin_token(kubectl: Kubectl, token: str) -> str:
    """The token of a service account that may do everything in the namespace, and see kube-system."""
    account = f"{kubectl.namespace}:member"
    kubectl("create", "rolebinding", "member", "--clusterrole=admin", f"--serviceaccount={account}")
    see = ["--verb=get", "--resource=namespaces", "--resource-name=kube-system"]
    kubectl("create", "clusterrole", kubectl.namespace, *see)
    bound = [f"--clusterrole={kubectl.namespace}", f"--serviceaccount={account}"]
    kubectl("create", "clusterrolebinding", kubectl.namespace, *bound)
    return token


@pytest.mark.usefixtures("profiles")
def test_members_of_all_sources_are_listed(kubectl: Kubectl, way: Way, admin_token: str) -> None:
    region = {"topology.kubernetes.io/region": "westeurope"}
    put_argocd(kubectl, way, admin_token, labels=region)
    put_argocd(kubectl, way, "", name="here", server="https://kubernetes.default.svc")
    put_cluster_api(kubectl, way, name="capi")
    put_profile(kubectl, way, name="aks", location="northeurope")
    here = kubectl.namespace
    finished = run(
        kubectl, "list", f"--argocd={here}", f"--cluster-api={here}", f"--cluster-profiles={here}", SIGN_IN
    )
    assert finished.returncode == 0, finished.stderr
    table, _, below = finished.stdout.partition("\n\n")
    assert [line.split() for line in table.splitlines()[1:]] == [
        ["here", "-", "ArgoCD", f"{here}/argocd-here", "https://kubernetes.default.svc", "Reachable"],
        ["west", "westeurope", "ArgoCD", f"{here}/argocd-west", way.server, "Reachable"],
        ["capi", "-", "ClusterAPI", f"{here}/capi-kubeconfig", way.server, "Reachable"],
        ["aks", "northeurope", "ClusterProfile", f"{here}/aks", way.server, "CredentialsMissing"],
    ]
    assert "aks: There is no workload identity here" in below
    assert f"ClusterAPI {here}/capi-kubeconfig is the same cluster as ArgoCD {here}/argocd-here." in below


def test_a_token_that_the_cluster_does_not_know_is_told(kubectl: Kubectl, way: Way) -> None:
    put_argocd(kubectl, way, "somebody")
    states, below = table(kubectl, f"--argocd={kubectl.namespace}")
    assert states == {"west": "Unauthenticated"}
    assert "west: Unauthorized" in below


def test_a_member_that_does_not_let_itself_be_known_is_told(kubectl: Kubectl, way: Way, token: str) -> None:
    put_argocd(kubectl, way, token)
    states, below = table(kubectl, f"--argocd={kubectl.namespace}")
    assert states == {"west": "Forbidden"}
    assert 'cannot get resource "namespaces"' in below


async def test_a_member_that_hangs_costs_only_itself(
    kubectl: Kubectl, way: Way, admin_token: str, gate: Gate
) -> None:
    gate.moving.clear()
    put_argocd(kubectl, way, admin_token, name="hangs", server=f"https://127.0.0.1:{gate.port}")
    put_argocd(kubectl, way, admin_token, name="works")
    states, below = await asyncio.to_thread(table, kubectl, f"--argocd={kubectl.namespace}")
    assert states == {"hangs": "Unreachable", "works": "Reachable"}
    assert below.startswith("hangs: ")


async def test_a_member_is_reached_by_another_address_and_its_own_name(
    kubectl: Kubectl, way: Way, admin_token: str, gate: Gate
) -> None:
    through = f"https://127.0.0.1:{gate.port}"
    name = way.server.split("//")[1].split(":")[0]
    put_argocd(kubectl, way, admin_token, server=through, tls={"serverName": name})
    put_argocd(kubectl, way, admin_token, name="wrong", server=through, tls={"serverName": "other.example"})
    states, below = await asyncio.to_thread(table, kubectl, f"--argocd={kubectl.namespace}")
    assert states == {"west": "Reachable", "wrong": "Unreachable"}
    assert "CERTIFICATE_VERIFY_FAILED" in below


def test_what_is_refused_is_listed_beside_what_works(
    kubectl: Kubectl, way: Way, admin_token: str, tmp_path: Path
) -> None:
    evidence = tmp_path / "ran"
    plugin = {"command": "/usr/bin/touch", "args": [str(evidence)]}
    put_argocd(kubectl, way, admin_token)
    put_argocd(kubectl, way, admin_token, name="runs", config={"execProviderConfig": plugin})
    put_argocd(kubectl, way, admin_token, name="metadata", server="https://169.254.169.254")
    put_argocd(kubectl, way, admin_token, name="insecure", tls={"insecure": True})
    put_cluster_api(kubectl, way, name="file", user={"tokenFile": "/etc/hostname"})
    here = kubectl.namespace
    states, below = table(kubectl, f"--argocd={here}", f"--cluster-api={here}")
    assert states == {
        "west": "Reachable",
        "runs": "ExecRefused",
        "metadata": "AddressRefused",
        "insecure": "InsecureRefused",
        "file": "FileRefused",
    }
    assert not evidence.exists()
    assert admin_token not in below


def test_where_nothing_is_described_that_is_said(kubectl: Kubectl) -> None:
    finished = run(kubectl, "list", f"--argocd={kubectl.namespace}")
    assert (finished.returncode, finished.stdout) == (1, "")
    assert finished.stderr == "modelfleet: No clusters are described there.\n"


def test_who_may_not_read_the_descriptions_is_told(kubectl: Kubectl, operator_kubeconfig: Path) -> None:
    operator = Kubectl(operator_kubeconfig, kubectl.namespace)
    finished = run(operator, "list", f"--argocd={kubectl.namespace}", f"--cluster-profiles={kubectl.namespace}")
    assert (finished.returncode, finished.stdout) == (1, "")
    assert "cannot be read: " in finished.stderr
    assert "clusterprofiles" in finished.stderr


def test_an_identity_of_azure_that_does_not_work_is_told(kubectl: Kubectl, way: Way, tmp_path: Path) -> None:
    """Its token file is not there."""
    variables = {"AZURE_CLIENT_ID": TENANT, "AZURE_TENANT_ID": TENANT}
    plugin = {"command": "argocd-k8s-auth", "args": ["azure"], "env": variables}
    config = {"execProviderConfig": plugin, "tlsClientConfig": {"caData": way.ca}}
    put_argocd(kubectl, way, "", config=config)
    file = str(tmp_path / "missing")
    finished = run(kubectl, "list", f"--argocd={kubectl.namespace}", AZURE_FEDERATED_TOKEN_FILE=file)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert "CredentialsInvalid" in finished.stdout
    assert "token file of the workload identity cannot be read" in finished.stdout
