"""What forbids touching any object, and what a person is told to do about it."""

from typing import Any

import pytest

from modelfleet.core.children import obstacle, possible_names
from modelfleet.core.observed import Observed
from tests.support.objects import manifests, owner, secret

WITH_SECRET = owner(model={"credentials": {"secretName": "storage"}})
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


def test_only_the_secret_depends_on_the_spec() -> None:
    credentials = Observed(credentials={"storage": secret(sasToken="eA==")})
    canary = ("Deployment", "claims-canary")
    assert manifests(WITH_SECRET, credentials).keys() == possible_names(WITH_SECRET) - {canary}
    assert possible_names(owner()) - manifests(owner()).keys() == {("Secret", "claims-model"), canary}
