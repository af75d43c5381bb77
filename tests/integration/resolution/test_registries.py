"""Models of a registry: signed addresses reach the pods and are renewed, and no replica makes a difference."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.integration.resolution.conftest import generation, of_registry, principal, register, resolved, signed
from tests.support.eventually import eventually
from tests.support.modeldeployments import apply, exists

if TYPE_CHECKING:
    from tests.support.azure.cloud import Cloud
    from tests.support.kubectl import Kubectl

pytestmark = pytest.mark.usefixtures("operator", "workspace")


def test_pods_get_a_signed_address_and_not_the_principal(kubectl: Kubectl, azure: Cloud) -> None:
    register(azure, "3")
    apply(kubectl, principal(), of_registry())
    model = resolved(kubectl)["models"][0]
    assert model["uri"] == model["source"] == "azureml://registries/shared/models/claims/versions/3"
    given = signed(kubectl)
    assert set(given) == {"claims.uri", "claims.sasToken", "claims.source"}
    assert given["claims.uri"] == "https://demo.blob.core.windows.net/models/claims/3/"
    exists(kubectl, "deployment", "claims")
    seen = kubectl("get", "mfd,deployment,service,pod,replicaset,events", "-o", "json")
    assert given["claims.sasToken"] not in seen
    assert "sig=" not in seen


def test_a_signed_address_is_renewed_without_restarting_pods(kubectl: Kubectl, azure: Cloud) -> None:
    register(azure, "4", valid_for=timedelta(seconds=20))
    apply(kubectl, principal(), of_registry("4"))
    resolved(kubectl)
    before, first = generation(kubectl), signed(kubectl)["claims.sasToken"]
    eventually(lambda: signed(kubectl)["claims.sasToken"] != first)
    assert generation(kubectl) == before
