"""ClusterProfiles become members where the configuration knows how to sign in at one of their providers."""

from __future__ import annotations

from typing import Any

import pytest

from modelfleet.core.inventory import cluster_profile
from modelfleet.core.inventory.member import Entra, Member, Refusal
from tests.unit.inventory import descriptions
from tests.unit.inventory.descriptions import SERVER

PROVIDERS = {"fleet": "azure-workload-identity"}


def member(*arguments: Any, **changes: Any) -> Member:
    found = cluster_profile.read(descriptions.cluster_profile(*arguments, **changes), PROVIDERS)
    assert isinstance(found, Member), found
    return found


@pytest.mark.parametrize("field", ["accessProviders", "credentialProviders"])
def test_the_status_says_where_and_the_configuration_as_whom(field: str) -> None:
    found = member(field=field)
    assert (found.name, str(found.origin)) == ("west", "ClusterProfile fleet/west")
    assert (found.server, found.auth) == (SERVER, Entra())
    assert found.ca


def test_everything_else_that_leads_there_is_taken() -> None:
    found = member({"tls-server-name": "api.west.example", "proxy-url": "http://proxy.example:3128"})
    assert (found.server_name, found.proxy) == ("api.west.example", "http://proxy.example:3128")


def test_the_first_provider_of_the_configuration_is_used() -> None:
    profile = descriptions.cluster_profile()
    other = {"name": "other", "cluster": {"server": "https://other.example"}}
    profile["status"]["accessProviders"].insert(0, other)
    found = cluster_profile.read(profile, {**PROVIDERS, "other": "azure-workload-identity"})
    assert isinstance(found, Member)
    assert found.server == SERVER


def test_the_region_is_that_of_the_label_and_else_that_of_the_property() -> None:
    assert member(location="northeurope").region == "northeurope"
    assert member(location="northeurope", **descriptions.REGION).region == "westeurope"
    assert member().region == ""
    assert member(location="x" * 64).region == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"provider": "somebody"}, "ProviderUnknown"),
        ({"field": "other"}, "ProviderUnknown"),
        ({"cluster": {"insecure-skip-tls-verify": True}}, "InsecureRefused"),
        ({"cluster": {"certificate-authority": "/etc/ca"}}, "FileRefused"),
        ({"cluster": {"server": "https://169.254.169.254"}}, "AddressRefused"),
        ({"cluster": {"server": 17}}, "FieldInvalid"),
    ],
)
def test_what_cannot_be_used_is_refused_for_its_reason(changes: dict[str, Any], reason: str) -> None:
    found = cluster_profile.read(descriptions.cluster_profile(**changes), PROVIDERS)
    assert isinstance(found, Refusal)
    assert found.reason == reason


def test_a_profile_that_nobody_has_filled_yet_is_refused() -> None:
    found = cluster_profile.read({"metadata": {"namespace": "fleet", "name": "new"}}, PROVIDERS)
    assert isinstance(found, Refusal)
    assert (found.name, found.reason) == ("new", "ProviderUnknown")
