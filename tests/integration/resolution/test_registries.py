"""Models of a registry: signed addresses reach the pods and are renewed, and no replica makes a difference."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.integration.resolution.conftest import generation, of_registry, principal, register, resolved, signed
from tests.support.azurite import ACCOUNT, SECOND_ACCOUNT
from tests.support.eventually import eventually
from tests.support.modeldeployments import apply, exists, status_of

if TYPE_CHECKING:
    from tests.support.azure.cloud import Cloud
    from tests.support.azurite import Azurite
    from tests.support.kubectl import Kubectl

pytestmark = pytest.mark.usefixtures("operator", "workspace")

SOON = timedelta(seconds=20)


@pytest.fixture(scope="module")
def second(azure: Cloud) -> Azurite:
    """The storage account of another replica."""
    account = replace(azure.storage, account=SECOND_ACCOUNT)
    account.create_container("models")
    return account


def is_sent_to(kubectl: Kubectl, account: str) -> bool:
    """Whether the address that pods get is one in that account."""
    return any(value.startswith(f"https://{account}.") for value in signed(kubectl).values())


def test_pods_get_a_signed_address_and_not_the_principal(kubectl: Kubectl, azure: Cloud) -> None:
    register(azure, "3")
    apply(kubectl, principal(), of_registry())
    model = resolved(kubectl)["models"][0]
    assert model["uri"] == model["source"] == "azureml://registries/shared/models/claims/versions/3"
    given = signed(kubectl)
    assert set(given) == {"claims.3.uri", "claims.3.sasToken", "claims.3.source"}
    assert given["claims.3.uri"] == "https://demo.blob.core.windows.net/models/claims/3/"
    exists(kubectl, "deployment", "claims")
    seen = kubectl("get", "mfd,deployment,service,pod,replicaset,events", "-o", "json")
    assert given["claims.3.sasToken"] not in seen
    assert "sig=" not in seen


def test_a_signed_address_is_renewed_without_restarting_pods(kubectl: Kubectl, azure: Cloud) -> None:
    register(azure, "4", valid_for=SOON)
    apply(kubectl, principal(), of_registry("4"))
    resolved(kubectl)
    before, first = generation(kubectl), signed(kubectl)["claims.4.sasToken"]
    eventually(lambda: signed(kubectl)["claims.4.sasToken"] != first)
    assert generation(kubectl) == before


def test_replicas_with_the_same_content_are_one_revision_also_where_one_has_no_md5(
    kubectl: Kubectl, azure: Cloud, second: Azurite
) -> None:
    second.put_in_blocks("models", "claims/3/model.onnx", b"version 3")
    register(azure, "5", SOON)
    apply(kubectl, principal(), of_registry("5"))
    before = resolved(kubectl)
    first = generation(kubectl)
    assert before["models"][0]["md5"].keys() == {"model.onnx"}
    for account in (SECOND_ACCOUNT, ACCOUNT):
        register(azure, "5", SOON, (account,))
        eventually(partial(is_sent_to, kubectl, account))
    after = resolved(kubectl)
    assert (after["models"], after["revision"]) == (before["models"], before["revision"])
    assert generation(kubectl) == first


def test_a_replica_with_other_content_of_the_same_size_becomes_a_revision_of_its_own(
    kubectl: Kubectl, azure: Cloud, second: Azurite
) -> None:
    second.put("models", "claims/3/model.onnx", b"VERSION 3")
    register(azure, "6", SOON)
    apply(kubectl, principal(), of_registry("6"))
    before = resolved(kubectl)
    register(azure, "6", SOON, (SECOND_ACCOUNT,))
    after = eventually(lambda: (s := status_of(kubectl))["revision"] != before["revision"] and s)
    assert after
    assert after["models"][0]["listing"] == before["models"][0]["listing"]
    assert after["models"][0]["md5"] != before["models"][0]["md5"]
    template = exists(kubectl, "deployment", "claims")["spec"]["template"]["metadata"]
    assert after["revision"] in template["labels"].values()
    assert is_sent_to(kubectl, SECOND_ACCOUNT)
