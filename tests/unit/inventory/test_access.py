"""What a hub is given in a member is what is needed there, and what it notes of it is what it will read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelfleet.core.inventory import access, argocd, rights
from modelfleet.core.inventory.access import Joined, Way
from modelfleet.core.inventory.member import BearerToken, Member, Origin, Source, Unusable
from modelfleet.core.inventory.rights import Right
from tests.unit.inventory.descriptions import CA, SERVER, TOKEN, argocd_secret, b64

WAY = Way(SERVER, CA, "west.internal", "http://proxy.example:3128")
WEST = Joined("west", "fleet", "westeurope", WAY)
OURS = {"app.kubernetes.io/managed-by": "modelfleet-join"}


def of_kind(kind: str, manifests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def allowed(role: dict[str, Any]) -> list[Right]:
    return [
        Right(verb, group, resource, name)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
        for verb in rule["verbs"]
    ]


@pytest.mark.parametrize("namespaces", [[], ["ml"], ["ml", "vision"]])
def test_the_roles_allow_what_is_needed_and_nothing_else(namespaces: list[str]) -> None:
    roles = {role["metadata"]["name"]: allowed(role) for role in of_kind("ClusterRole", access.grants(namespaces))}
    assert roles["modelfleet-hub-identity"] == [rights.IDENTITY]
    assert [*roles["modelfleet-hub-identity"], *roles["modelfleet-hub"]] == list(rights.needed())


def bound(namespaces: list[str]) -> list[tuple[str, str, str]]:
    """The kind, the namespace and the role of each binding."""
    bindings = [each for each in access.grants(namespaces) if each["kind"].endswith("Binding")]
    assert {each["roleRef"]["kind"] for each in bindings} == {"ClusterRole"}
    return [(each["kind"], each["metadata"].get("namespace", ""), each["roleRef"]["name"]) for each in bindings]


def test_without_namespaces_the_rights_are_for_all() -> None:
    identity = ("ClusterRoleBinding", "", "modelfleet-hub-identity")
    assert bound([]) == [identity, ("ClusterRoleBinding", "", "modelfleet-hub")]


def test_in_some_namespaces_only_the_cluster_is_known_everywhere() -> None:
    identity = ("ClusterRoleBinding", "", "modelfleet-hub-identity")
    there = [("RoleBinding", namespace, "modelfleet-hub") for namespace in ("ml", "vision")]
    assert bound(["ml", "vision"]) == [identity, *there]


def test_bindings_that_are_not_wanted_any_more_are_surplus() -> None:
    before, now = access.grants([]) + access.grants(["ml", "vision"]), access.grants(["ml"])
    surplus = [(each["kind"], each["metadata"].get("namespace")) for each in access.surplus(before, now)]
    assert surplus == [("ClusterRoleBinding", None), ("RoleBinding", "vision")]


def test_what_the_hub_notes_is_what_it_reads() -> None:
    origin = Origin(Source.ARGOCD, "fleet", "cluster-west")
    read = argocd.read(access.description(WEST, TOKEN))
    assert isinstance(read, Member)
    assert read == Member(
        "west", origin, "westeurope", SERVER, BearerToken(TOKEN), read.ca, "west.internal", WAY.proxy
    )
    assert read.ca


def test_where_no_region_is_told_none_is_noted() -> None:
    labels = access.description(replace(WEST, region=""), TOKEN)["metadata"]["labels"]
    assert labels == OURS | {"argocd.argoproj.io/secret-type": "cluster"}


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        (replace(WAY, ca=b64("none")), "CertificateInvalid"),
        (replace(WAY, proxy="socks5://proxy"), "ProxyInvalid"),
        (replace(WAY, server_name="a b"), "ServerNameInvalid"),
        (replace(WAY, server="https://kubernetes.default.svc"), "ServerInvalid"),
    ],
)
def test_a_description_that_nobody_could_use_is_not_written(way: Way, reason: str) -> None:
    with pytest.raises(Unusable) as caught:
        access.description(replace(WEST, way=way), TOKEN)
    assert caught.value.reason == reason


def test_a_token_with_a_line_end_is_not_written() -> None:
    with pytest.raises(Unusable) as caught:
        access.description(WEST, f"{TOKEN}\n")
    assert TOKEN not in caught.value.message


def test_an_address_is_noted_in_one_form() -> None:
    assert access.seen_from_the_hub(replace(WAY, server="https://West.Example:6443/"), "") == WAY


def test_an_address_of_the_hubs_own_is_not_behind_the_administrators_proxy() -> None:
    seen = access.seen_from_the_hub(WAY, "https://10.0.0.4:443")
    assert seen == replace(WAY, server="https://10.0.0.4:443", proxy="")


@pytest.mark.parametrize("server", ["https://127.0.0.1:6443", "https://localhost:6443", "https://[::1]:6443"])
def test_an_address_of_ones_own_machine_is_one_for_the_hub_only_if_that_is_said(server: str) -> None:
    with pytest.raises(Unusable, match="say with --server"):
        access.seen_from_the_hub(Way(server), "")
    assert access.seen_from_the_hub(Way(server), server).server == server


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        (Way("https://west.example", is_insecure=True), "InsecureRefused"),
        (Way("http://west.example"), "ServerNotHttps"),
        (Way("https://169.254.169.254"), "AddressRefused"),
    ],
)
def test_a_way_that_cannot_be_trusted_is_none(way: Way, reason: str) -> None:
    with pytest.raises(Unusable) as caught:
        access.seen_from_the_hub(way, "")
    assert caught.value.reason == reason


def written(uid: str, token: str = TOKEN) -> dict[str, Any]:
    secret = access.token()
    secret["metadata"]["annotations"]["kubernetes.io/service-account.uid"] = uid
    return {**secret, "data": {"token": b64(token)}}


def test_only_a_token_of_the_account_as_it_is_now_counts() -> None:
    assert access.token_in(written("now"), "now") == TOKEN
    assert access.token_in(written("before"), "now") == ""
    assert access.token_in(access.token(), "now") == ""
    assert access.token_in({**written("now"), "data": None}, "now") == ""


def test_our_own_description_of_the_same_cluster_may_be_written_again() -> None:
    access.refuse_others(WEST, [access.description(WEST, "before")])


def elsewhere(name: str, server: str, *, secret: str = "another") -> dict[str, Any]:
    """A description of the hub's, by anybody."""
    return argocd_secret(name=name, server=server) | {"metadata": {"name": secret}}


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ({"metadata": {"name": "cluster-west"}}, "Foreign"),
        (elsewhere("west", SERVER, secret="cluster-west"), "Foreign"),
        (elsewhere("west", "https://other.example"), "Described"),
        (elsewhere("other", f"{SERVER}/"), "Described"),
        (access.description(replace(WEST, way=Way("https://other.example")), TOKEN), "OtherServer"),
    ],
)
def test_what_another_has_described_is_refused(secret: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unusable) as caught:
        access.refuse_others(WEST, [elsewhere("east", "https://east.example", secret="east"), secret])
    assert caught.value.reason == reason
