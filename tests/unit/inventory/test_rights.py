"""What is needed in a member is what the operator of a hub with members has, but for what only a hub has."""

from pathlib import Path

import yaml

from modelfleet.core.inventory import rights
from modelfleet.core.inventory.rights import Right

MANIFESTS = Path(__file__).parents[3] / "manifests"
ROLES = ("base/rbac.yaml", "components/members/rbac.yaml")
OPERATOR = {"modelfleet-operator", "modelfleet-operator-members"}
OF_THE_HUB = {"modeldeployments", "modeldeployments/status", "leases", "events", "clusterprofiles", "namespaces"}


def test_the_rights_are_those_of_the_operators_role() -> None:
    documents = (document for file in ROLES for document in yaml.safe_load_all((MANIFESTS / file).read_text()))
    granted = {
        Right(verb, group, resource)
        for role in documents
        if role["kind"] == "ClusterRole" and role["metadata"]["name"] in OPERATOR
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if resource not in OF_THE_HUB
    }
    assert set(rights.needed()) == granted | {rights.IDENTITY}


def test_rights_are_described_by_resource() -> None:
    lines = rights.described(
        [rights.IDENTITY, Right("get", "apps", "deployments"), Right("list", "apps", "deployments")]
    )
    assert lines == ["namespaces kube-system: get", "deployments.apps: get, list"]
