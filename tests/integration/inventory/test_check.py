"""The command checks one member: which cluster it is, and which rights are missing there."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.inventory.conftest import Way, put_argocd, put_cluster_api, run
from tests.support.kubectl import Kubectl


def test_an_administrator_has_all_rights(kubectl: Kubectl, way: Way) -> None:
    put_cluster_api(kubectl, way)
    finished = run(kubectl, "check", "west", f"--cluster-api={kubectl.namespace}")
    assert finished.returncode == 0, finished.stderr
    facts = dict(line.split(None, 1) for line in finished.stdout.splitlines() if line)
    uid = json.loads(kubectl("get", "namespace", "kube-system", "-o", "json"))["metadata"]["uid"]
    version = json.loads(kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]
    assert facts == {
        "Name:": "west",
        "Region:": "unknown",
        "Source:": f"ClusterAPI {kubectl.namespace}/west-kubeconfig",
        "Server:": way.server,
        "State:": "Reachable",
        "Identity:": uid,
        "Version:": version,
        "Rights:": "all that are needed",
    }


def test_the_operators_own_role_lacks_what_its_garbage_collector_does_and_to_know_the_cluster(
    kubectl: Kubectl, way: Way, operator_kubeconfig: Path
) -> None:
    user = json.loads(operator_kubeconfig.read_text())["users"][0]["user"]
    put_argocd(kubectl, way, user["token"])
    finished = run(kubectl, "check", "west", f"--argocd={kubectl.namespace}")
    assert finished.returncode == 1
    _, _, missing = finished.stdout.partition("Rights that are missing:\n")
    assert missing.splitlines() == [
        "  namespaces kube-system: get",
        "  serviceaccounts: delete",
        "  poddisruptionbudgets.policy: delete",
        "  networkpolicies.networking.k8s.io: delete",
    ]


def test_missing_rights_are_told_by_resource(kubectl: Kubectl, way: Way, token: str) -> None:
    put_argocd(kubectl, way, token)
    finished = run(kubectl, "check", "west", f"--argocd={kubectl.namespace}")
    assert finished.returncode == 1
    assert "State:     Reachable" in finished.stdout
    assert "  deployments.apps: get, list, watch, create, patch, delete\n" in finished.stdout
    assert "  pods/proxy: get\n" in finished.stdout
    assert "Identity" not in finished.stdout


def test_rights_in_one_namespace_are_enough_where_models_are_to_be(kubectl: Kubectl, way: Way, token: str) -> None:
    account = f"--serviceaccount={kubectl.namespace}:member"
    kubectl("create", "rolebinding", "all", "--clusterrole=cluster-admin", account)
    put_argocd(kubectl, way, token)
    command = ["check", "west", f"--argocd={kubectl.namespace}"]
    there = run(kubectl, *command, "-n", kubectl.namespace).stdout
    assert there.endswith("\n\nRights that are missing:\n  namespaces kube-system: get\n")
    assert "  deployments.apps: " in run(kubectl, *command).stdout


def test_a_refused_member_is_told_why(kubectl: Kubectl, way: Way, token: str) -> None:
    put_argocd(kubectl, way, token, server="http://west.example")
    finished = run(kubectl, "check", "west", f"--argocd={kubectl.namespace}")
    assert finished.returncode == 1
    assert "State:     ServerNotHttps" in finished.stdout
    assert "Message:   The address of the API server has to begin with https://." in finished.stdout


def test_a_name_that_nobody_has_is_told(kubectl: Kubectl, way: Way, token: str) -> None:
    put_argocd(kubectl, way, token)
    finished = run(kubectl, "check", "east", f"--argocd={kubectl.namespace}")
    assert (finished.returncode, finished.stdout) == (1, "")
    assert "No cluster east is described there." in finished.stderr


def test_two_members_of_one_name_are_both_told(kubectl: Kubectl, way: Way, token: str) -> None:
    put_argocd(kubectl, way, token)
    put_cluster_api(kubectl, way)
    here = kubectl.namespace
    finished = run(kubectl, "check", "west", f"--argocd={here}", f"--cluster-api={here}")
    assert finished.returncode == 1
    assert finished.stdout.count("Name:") == 2
