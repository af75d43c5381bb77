"""What forbids touching any object, and what a person is told to do about it."""

from dataclasses import replace
from typing import Any

import pytest

from modelfleet.core.api import ModelDeployment
from modelfleet.core.children import child_key, children_of, obstacle, possible_names
from modelfleet.core.decision import Decision
from modelfleet.core.observed import ChildKey, Observed
from modelfleet.core.revision import revision_of
from modelfleet.render.renderer import render
from tests.support.modeldeployments import Manifest
from tests.support.objects import DEFAULTS, manifests, owner, secret

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
    samples = ("ConfigMap", "claims-samples")
    assert possible_names(owner()) - plain == {secret_of_pods, canary, settings, samples, *of_gateway}
    assert manifests(WITH_SECRET, credentials).keys() == {*plain, secret_of_pods}
    assert manifests(WITH_GATEWAY).keys() == {*plain, *of_gateway}
    assert manifests(WITH_SHADOW).keys() == {*plain, ("Service", "claims-canary"), settings}


def test_pods_in_another_cluster_get_a_copy_of_the_golden_samples() -> None:
    smoke = {"canary": {"steps": [50]}, "analysis": {"smoke": {"configMapRef": "golden"}}}
    here, golden = owner(rollout=smoke), {"data": {"claims.json": "[]"}}
    there = replace(here, hub="uid-of-the-hub")
    begun = Decision(revision_of(here.spec), canary=1)

    def wanted(of: ModelDeployment, samples: Manifest | None) -> dict[ChildKey, Manifest]:
        views = children_of(of, Observed(samples=samples), begun, DEFAULTS)
        return {child_key(view): render(view, of) for view in views}

    copied = wanted(there, golden)
    assert copied["ConfigMap", "claims-samples"]["data"] == golden["data"]
    assert mounted(copied["Deployment", "claims-canary"]) == "claims-samples"
    assert mounted(wanted(here, None)["Deployment", "claims-canary"]) == "golden"
    assert ("ConfigMap", "claims-samples") not in wanted(here, golden)


def mounted(deployment: Manifest) -> str:
    """The ConfigMap of golden samples that pods look into."""
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    return next(str(volume["configMap"]["name"]) for volume in volumes if volume["name"] == "samples")


def test_a_gateway_needs_a_cluster_that_knows_routes() -> None:
    cause = obstacle(WITH_GATEWAY, Observed(has_gateway_api=False))
    assert cause
    assert (cause.reason, cause.stalled) == ("GatewayApiMissing", True)
    assert obstacle(WITH_GATEWAY, Observed()) is None
