"""Models of registries, whose files are in replicas that only signed addresses open."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from modelfleet.aml import lookups
from modelfleet.core import api
from tests.integration.azure.conftest import SHARED, client, failure, resolved
from tests.support.azure.registries import Registry
from tests.support.azure.workspaces import Environment, Model
from tests.support.azurite import SECOND_ACCOUNT

if TYPE_CHECKING:
    from tests.support.azure.cloud import Cloud

REPLICAS = ("demo", SECOND_ACCOUNT)


@pytest.fixture
def registry(azure: Cloud, container: str) -> Registry:
    """A registry with a model that is the same in two storage accounts, but for its ETags."""
    second = replace(azure.storage, account=SECOND_ACCOUNT)
    second.create_container(container)
    for account in (azure.storage, second):
        account.put(container, "claims/model.onnx", b"content")
        account.put(container, "claims-old/model.onnx", b"old")
    found = Registry("shared", REPLICAS, azure.storage.sas, [Model("claims", "3", f"{container}/claims")])
    azure.control.registries[:] = [found]
    return found


def asked_replicas(azure: Cloud) -> list[str]:
    """The accounts for which a signed address was asked."""
    asked = [asked for asked in azure.control.asked if "/datarefs/" in asked.path]
    return [json.loads(one.body)["blobUri"].removeprefix("https://").partition(".")[0] for one in asked]


def test_another_replica_is_no_change(azure: Cloud, registry: Registry) -> None:
    found = {resolved(workspace=SHARED) for _ in range(4)}
    assert set(asked_replicas(azure)) == set(REPLICAS)
    (only,) = found
    assert only.uri == only.source == "azureml://registries/shared/models/claims/versions/3"
    assert (only.files, only.sizeBytes) == (1, 7)


@pytest.mark.parametrize(("path", "file"), [("claims", "model.onnx"), ("claims/model.onnx", "")])
def test_a_signed_address_opens_the_files_until_it_ends(
    container: str, registry: Registry, path: str, file: str
) -> None:
    registry.models[0].uri = f"{container}/{path}"
    asking = client(SHARED)
    for _ in REPLICAS:
        signed = lookups.sign(asking, "claims", "3")
        assert signed.uri.endswith(f"/{container}/{path}{'/' if file else ''}")
        assert httpx.get(f"{signed.uri}{file}?{signed.token}").content == b"content"
        assert 3500 < signed.expires - time.time() <= 3600
        assert signed.token not in repr(signed)


def test_the_newest_version_of_a_registry_is_what_was_created_last(registry: Registry) -> None:
    registry.models += [Model("claims", version, "x/y") for version in ("9", "10", "2")]
    assert lookups.latest_version(client(SHARED), "claims") == "2"


def test_a_registry_without_signed_addresses_is_unsupported(registry: Registry) -> None:
    registry.sas = None
    error = failure(lambda: resolved(workspace=SHARED))
    assert error.reason == "RegistryUnsupported"
    assert "The registry shared gives no signed address for version 3 of the model claims" in str(error)


def test_an_environment_of_a_registry_tells_its_image(registry: Registry) -> None:
    registry.environments = [Environment("claims-env", "4", "registry.example/claims:4")]
    asked = api.Environment("claims-env:4", SHARED)
    assert lookups.image_of(client(SHARED), asked) == "registry.example/claims:4"
