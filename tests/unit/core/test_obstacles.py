"""What forbids touching any object, and what a person is told to do about it."""

from typing import Any

import pytest

from modelfleet.core.children import obstacle, possible_names
from modelfleet.core.observed import Observed
from tests.support.objects import manifests, owner, secret

WITH_SECRET = owner(model={"credentials": {"secretName": "storage"}})
WITH_GATEWAY = owner(gateway={"parentRef": {"name": "public"}})
WITH_SHADOW = owner(rollout={"canary": {"steps": [50]}, "analysis": {"shadow": {"percent": 10}}})
PRINCIPAL = {"tenantId": "eA==", "clientId": "eA==", "clientSecret": "eA=="}


def test_nothing_stands_in_the_way_of_a_plain_one() -> None:
    assert obstacle(owner(), Observed()) is None


@pytest.mark.parametrize("data", [{"sasToken": "eA=="}, {"accountKey": "eA==", "note": "eA=="}, PRINCIPAL])
def test_any_form_of_credentials_is_taken(data: dict[str, str]) -> None:
    assert obstacle(WITH_SECRET, Observed(credentials={"storage": secret(**data)})) is None


def test_a_secret_that_is_not_there_is_named() -> None:
    cause = obstacle(WITH_SECRET, Observed(credentials={"storage": None}))
    assert cause
    assert (cause.reason, cause.stalled) == ("CredentialsMissing", False)
    assert "The Secret storage named in spec.model.credentials does not exist in namespace ml" in cause.message


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        (secret(clientId="eA==", tenantId="eA=="), "clientId, tenantId"),
        (secret(), "none"),
        ({**secret(), "data": None}, "none"),
        ({"metadata": {"name": "storage"}}, "none"),
    ],
)
def test_a_secret_without_the_right_keys_is_told_by_its_keys_and_never_by_its_values(
    body: dict[str, Any], keys: str
) -> None:
    cause = obstacle(WITH_SECRET, Observed(credentials={"storage": body}))
    assert cause
    assert (cause.reason, cause.stalled) == ("CredentialsInvalid", True)
    assert cause.message.endswith(f"its keys are: {keys}.")
    assert "eA==" not in cause.message


def test_what_is_made_depends_on_what_the_spec_asks_for() -> None:
    credentials = Observed(credentials={"storage": secret(sasToken="eA==")})
    secret_of_pods, canary = ("Secret", "claims-model"), ("Deployment", "claims-canary")
    of_gateway = {("Service", "claims-stable"), ("Service", "claims-canary"), ("HTTPRoute", "claims")}
    settings = ("ConfigMap", "claims-settings")
    plain = manifests(owner()).keys()
    assert possible_names(owner()) - plain == {secret_of_pods, canary, settings, *of_gateway}
    assert manifests(WITH_SECRET, credentials).keys() == {*plain, secret_of_pods}
    assert manifests(WITH_GATEWAY).keys() == {*plain, *of_gateway}
    assert manifests(WITH_SHADOW).keys() == {*plain, ("Service", "claims-canary"), settings}


def test_a_gateway_needs_a_cluster_that_knows_routes() -> None:
    cause = obstacle(WITH_GATEWAY, Observed(has_gateway_api=False))
    assert cause
    assert (cause.reason, cause.stalled) == ("GatewayApiMissing", True)
    assert obstacle(WITH_GATEWAY, Observed()) is None
