"""A cluster becomes a member: an account there with the least rights, and a description of it in the hub."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.integration.inventory.conftest import put
from tests.integration.inventory.joining import Pair, read
from tests.integration.kube.gate import gate_to
from tests.support.clusters import LocalCluster
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl


@pytest.fixture(scope="session")
def other() -> Iterator[LocalCluster]:
    """A second API server."""
    cluster = LocalCluster(f"test-member-{os.getpid()}")
    try:
        cluster.up(node=False)
        yield cluster
    finally:
        cluster.down()


@pytest.fixture
def pair(kubectl: Kubectl, other: LocalCluster) -> Iterator[Pair]:
    pair = Pair(kubectl, other.kubectl)
    yield pair
    pair.forget()


@pytest.fixture
def place(pair: Pair) -> str:
    """A namespace of the member."""
    name = f"ml-{uuid4().hex[:8]}"
    pair.member("create", "namespace", name)
    return name


def server_of(pair: Pair) -> str:
    server: str = json.loads(pair.member.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    return server


def test_a_cluster_that_has_joined_is_all_that_a_member_has_to_be(pair: Pair, other: LocalCluster) -> None:
    told = pair.joined("--region=westeurope")
    facts = dict(line.split(None, 1) for line in told.splitlines())
    version = facts.pop("Version:")
    assert version.startswith("v1.")
    assert facts == {
        "Name:": "west",
        "Region:": "westeurope",
        "Source:": f"ArgoCD {pair.hub.namespace}/cluster-west",
        "Server:": server_of(pair),
        "State:": "Reachable",
        "Identity:": other.uid,
        "Rights:": "all that are needed",
    }
    assert pair.checked() == told
    assert pair.token not in told


def test_joining_again_changes_nothing(pair: Pair, place: str) -> None:
    pair.joined(f"-n={place}", "--region=westeurope")
    made, described = pair.made, pair.described
    # Account, token, two roles, two bindings.
    assert len(made) == 6
    pair.joined(f"-n={place}", "--region=westeurope")
    assert (pair.made, pair.described) == (made, described)


def test_joining_again_repairs_what_was_taken_away(pair: Pair) -> None:
    pair.joined()
    pair.member("delete", "clusterrolebinding", "modelfleet-hub")
    pair.joined("--region=westeurope")
    assert pair.described["metadata"]["labels"]["topology.kubernetes.io/region"] == "westeurope"


def test_with_a_new_account_the_old_token_is_worth_nothing(pair: Pair, tmp_path: Path) -> None:
    pair.joined()
    old = pair.token
    pair.member("delete", "serviceaccount", "modelfleet-hub", "-n", "modelfleet-system")
    pair.joined()
    assert pair.token != old
    hub = Kubectl(pair.kubeconfig(tmp_path / "old", {"token": old}))
    eventually(lambda: "Unauthorized" in hub.run("get", "pods").stderr)


def test_the_token_is_good_for_what_is_needed_and_nothing_else(pair: Pair, place: str, tmp_path: Path) -> None:
    pair.joined()
    hub = Kubectl(pair.kubeconfig(tmp_path / "hub", {"token": pair.token}), place)
    hub("apply", "--server-side", "-f", "-", stdin=SETTINGS)
    hub("get", "pods,secrets,deployments", "-A")
    hub("delete", "configmap", "settings")
    assert read(hub, "namespace", "kube-system")["metadata"]["name"] == "kube-system"
    for question in (["list", "nodes"], ["list", "namespaces"], ["get", f"namespaces/{place}"], *MORE):
        assert hub.run("auth", "can-i", *question, "-q").returncode == 1, question


SETTINGS = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}})
MORE = [
    ["create", "pods"],
    ["create", "pods", "--subresource=exec"],
    ["create", "rolebindings"],
    ["escalate", "clusterroles"],
    ["create", "serviceaccounts", "--subresource=token"],
]


def test_rights_in_some_namespaces_are_none_elsewhere(pair: Pair, place: str, tmp_path: Path) -> None:
    pair.member("create", "namespace", f"{place}-2")
    told = pair.joined(f"-n={place}", f"-n={place}-2")
    assert "all that are needed" in told
    assert pair.checked(f"-n={place}", f"-n={place}-2") == told
    hub = Kubectl(pair.kubeconfig(tmp_path / "hub", {"token": pair.token}), place)
    hub("get", "secrets,pods,deployments")
    hub("get", "secrets", "-n", f"{place}-2")
    for elsewhere in (["-A"], ["-n", "kube-system"], ["-n", "default"], ["-n", "modelfleet-system"]):
        assert "forbidden" in hub.run("get", "secrets", *elsewhere).stderr
    assert "forbidden" in hub.run("get", "nodes").stderr
    assert "Rights that are missing:\n  deployments.apps: get" in pair.checked(f"-n={place}", "-n=default")
    assert "Rights that are missing:\n  deployments.apps: get" in pair.checked()


def test_joining_for_less_takes_back_the_rest(pair: Pair, place: str) -> None:
    pair.member("create", "namespace", f"{place}-2")
    pair.joined()
    fewer = pair.join(f"-n={place}")
    assert (fewer.returncode, fewer.stderr) == (0, "modelfleet: taken back: ClusterRoleBinding modelfleet-hub\n")
    another = pair.join(f"-n={place}-2")
    assert another.stderr == f"modelfleet: taken back: RoleBinding {place}/modelfleet-hub\n"
    assert "deployments.apps: get" in pair.checked(f"-n={place}")


def test_somebody_elses_secret_is_left_alone(pair: Pair) -> None:
    put(pair.hub, "v1", "Secret", "cluster-west", {"team": "platform"}, {"stringData": {"password": "theirs"}})
    before = pair.described
    assert f"{pair.hub.namespace}/cluster-west was made by somebody else and is left alone" in pair.refusal()
    assert (pair.described, pair.made) == (before, {})


def test_a_cluster_of_another_address_keeps_its_name(pair: Pair) -> None:
    pair.joined()
    before = pair.described
    assert "leads to another server" in pair.refusal("--server=https://other.example")
    assert pair.described == before


def test_a_cluster_that_is_described_already_is_not_described_again(pair: Pair) -> None:
    pair.joined()
    told = pair.refusal(name="again")
    assert f"The Secret {pair.hub.namespace}/cluster-west describes a cluster of this name or address" in told


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"insecure_skip_tls_verify": True, "certificate_authority_data": None}, "is not trusted"),
        ({"server": "http://west.example"}, "has to begin with https://"),
        ({"server": "https://169.254.169.254"}, "leads to a cloud's metadata"),
        ({"server": "https://127.0.0.1:6443"}, "is this machine's own: say with --server"),
        ({"server": "https://localhost:6443"}, "is this machine's own: say with --server"),
        ({"server": "https://kubernetes.default.svc"}, "is another one in each cluster: say --server"),
        ({"proxy_url": "http://user:password@proxy.example"}, "The address of the proxy has to be"),
        ({"certificate_authority_data": "bm9uZQ=="}, "fails: "),
    ],
)
def test_a_cluster_that_no_hub_could_trust_or_find_is_refused(
    pair: Pair, tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    refusal = pair.refusal(by=pair.kubeconfig(tmp_path / "changed", **changed))
    assert told in refusal
    assert "password" not in refusal
    assert pair.hub("get", "secrets", "-o", "name") == ""


async def test_the_hub_may_have_another_address_than_the_administrator(pair: Pair, tmp_path: Path) -> None:
    address = urlsplit(server_of(pair))
    host = address.hostname or ""
    file = pair.kubeconfig(tmp_path / "named", tls_server_name=host)
    async with gate_to(host, address.port or 443) as gate:
        through = f"https://127.0.0.1:{gate.port}"
        told = await asyncio.to_thread(pair.joined, f"--server={through}", by=file)
    assert f"Server:     {through}\n" in told
    assert pair.config["tlsClientConfig"]["serverName"] == host


def test_an_administrator_may_sign_in_with_a_plugin_and_the_hub_does_not(pair: Pair, tmp_path: Path) -> None:
    account = f"admin-{uuid4().hex[:8]}"
    pair.member("create", "serviceaccount", account)
    bound = ["--clusterrole=cluster-admin", f"--serviceaccount=default:{account}"]
    pair.member("create", "clusterrolebinding", account, *bound)
    version = "client.authentication.k8s.io/v1"
    status = {"token": pair.member("create", "token", account).strip()}
    answer = tmp_path / "answer"
    answer.write_text(json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status}))
    plugin = {"apiVersion": version, "command": "cat", "args": [str(answer)], "interactiveMode": "Never"}
    pair.joined(by=pair.kubeconfig(tmp_path / "plugin", {"exec": plugin}))
    assert set(pair.config) == {"bearerToken", "tlsClientConfig"}
    assert pair.token != status["token"]


def test_what_does_not_work_yet_is_told_and_stays(pair: Pair) -> None:
    """Nobody is at that address; later somebody may be."""
    finished = pair.join("--server=https://127.0.0.1:9")
    assert (finished.returncode, finished.stderr) == (1, "")
    assert "State:     Unreachable" in finished.stdout
    assert pair.described


def test_nobody_grants_what_they_lack(pair: Pair, tmp_path: Path) -> None:
    account = f"nearly-{uuid4().hex[:8]}"
    pair.member("create", "serviceaccount", account)
    writes = "--resource=namespaces,serviceaccounts,clusterroles,clusterrolebindings"
    pair.member("create", "clusterrole", account, "--verb=get,create,patch", writes)
    bound = [f"--clusterrole={account}", f"--serviceaccount=default:{account}"]
    pair.member("create", "clusterrolebinding", account, *bound)
    user = {"token": pair.member("create", "token", account).strip()}
    told = pair.refusal(by=pair.kubeconfig(tmp_path / "nearly", user))
    assert "does not let you do this. Nobody may grant rights that they lack themselves" in told
    assert "attempting to grant RBAC permissions not currently held" in told


def test_somebody_without_rights_is_told(pair: Pair, tmp_path: Path) -> None:
    account = f"nobody-{uuid4().hex[:8]}"
    pair.member("create", "serviceaccount", account)
    user = {"token": pair.member("create", "token", account).strip()}
    told = pair.refusal(by=pair.kubeconfig(tmp_path / "nobody", user))
    assert 'does not let you do this. It says: namespaces "modelfleet-system" is forbidden' in told
    assert pair.hub("get", "secrets", "-o", "name") == ""


def test_a_namespace_that_the_member_does_not_have_is_told(pair: Pair) -> None:
    assert 'lacks what this needs: namespaces "nowhere" not found' in pair.refusal("-n=nowhere")


def test_a_hub_that_cannot_take_it_is_asked_before_the_member(pair: Pair) -> None:
    assert 'lacks what this needs: namespaces "nowhere" not found' in pair.refusal(there="nowhere")
    assert pair.made == {}


def test_a_context_that_nobody_has_is_told(pair: Pair) -> None:
    told = pair.refusal("--member-context=nowhere")
    assert "The member's kubeconfig fails: The credentials cannot be read" in told
