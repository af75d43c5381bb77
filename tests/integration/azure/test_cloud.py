"""The Azure that tests run against, asked by Azure's own SDKs, which know nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from azure.ai.ml import MLClient
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential, WorkloadIdentityCredential
from azure.storage.blob import ContainerClient

from tests.integration.azure.conftest import SECRET, SUBSCRIPTION
from tests.support.azure.asked import Fault, error
from tests.support.azure.registries import REGION, Registry
from tests.support.azure.tokens import CLIENT, TENANT
from tests.support.azure.workspaces import Datastore, Environment, Model

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.azure.cloud import Cloud
    from tests.support.azure.workspaces import Workspace

LIMITS: dict[str, Any] = {"retry_total": 2, "connection_timeout": 5, "read_timeout": 10}


def credential(secret: str = SECRET) -> ClientSecretCredential:
    return ClientSecretCredential(TENANT, CLIENT, secret)


def client(secret: str = SECRET) -> MLClient:
    return MLClient(credential(secret), SUBSCRIPTION, "rg-ml", "ml-prod", **LIMITS)


def test_latest_is_what_was_created_last(workspace: Workspace) -> None:
    workspace.models = [Model("claims", version, f"azureml://x/{version}") for version in ("9", "10", "2")]
    models = client().models
    assert models.get("claims", "10").path == "azureml://x/10"
    assert models.get("claims", label="latest").version == "2"


def test_long_lists_come_in_pages_without_what_is_archived(azure: Cloud, workspace: Workspace) -> None:
    archived = {7, 8}
    workspace.models = [Model("claims", str(n), "azureml://x", is_archived=n in archived) for n in range(70)]
    found = [model.version for model in client().models.list("claims")]
    assert found == [str(n) for n in reversed(range(70)) if n not in archived]
    assert sum("/versions" in asked.path for asked in azure.control.asked) == 3


def test_a_datastore_tells_where_files_are_and_its_secrets_to_those_who_ask(workspace: Workspace) -> None:
    workspace.datastores = [
        Datastore(
            "workspaceblobstore", "demo", "models", "AccountKey", {"secretsType": "AccountKey", "key": "a2V5"}
        )
    ]
    datastores = client().datastores
    found = datastores.get("workspaceblobstore")
    assert (found.account_name, found.container_name) == ("demo", "models")
    assert datastores.get_default(include_secrets=True).credentials.account_key == "a2V5"


def test_an_environment_tells_its_image(workspace: Workspace) -> None:
    workspace.environments = [Environment("claims-env", "4", "registry.example/claims@sha256:1")]
    assert client().environments.get("claims-env", "4").image == "registry.example/claims@sha256:1"


def test_what_is_not_there_is_not_found(workspace: Workspace) -> None:
    with pytest.raises(ResourceNotFoundError):
        client().models.get("claims", "1")
    workspace.name = "another"
    with pytest.raises(ResourceNotFoundError):
        client().models.get("claims", "1")


def test_a_registry_is_discovered_and_names_now_one_account_now_another(azure: Cloud) -> None:
    registry = Registry("shared", ("one", "other"), azure.storage.sas, [Model("claims", "3", "models/claims/3")])
    azure.control.registries[:] = [registry]
    models = MLClient(credential(), registry_name="shared", **LIMITS).models
    paths = {models.get("claims", "3").path for _ in range(4)}
    assert paths == {f"https://{name}.blob.core.windows.net/models/claims/3" for name in ("one", "other")}
    assert models.get("claims", label="latest").version == "3"


def test_a_registry_signs_the_address_of_a_model(azure: Cloud) -> None:
    registry = Registry("shared", ("demo",), azure.storage.sas, [Model("claims", "3", "models/claims/3")])
    azure.control.registries[:] = [registry]
    token = credential().get_token("https://management.azure.com/.default").token
    url = f"https://{REGION}{registry.path}/datarefs/claims/versions/3"
    asked = {"blobUri": "https://demo.blob.core.windows.net/models/claims/3"}
    answer = httpx.post(url, json=asked, headers={"Authorization": f"Bearer {token}"}).json()
    signed = answer["blobReferenceForConsumption"]["credential"]["sasUri"]
    with ContainerClient.from_container_url(signed, api_version="2025-11-05") as container:
        assert container.download_blob("claims/3/model.onnx").readall() == b"content"


def test_a_wrong_secret_and_a_token_that_has_expired_are_refused(azure: Cloud, workspace: Workspace) -> None:
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        client("wrong").models.get("claims", "1")
    workspace.models = [Model("claims", "1", "azureml://x")]
    azure.control.entra.lifetime_s = -1
    with pytest.raises(ClientAuthenticationError):
        client().models.get("claims", "1")
    azure.control.entra.lifetime_s = 3600


def test_faults_happen_as_often_as_they_should(azure: Cloud, workspace: Workspace) -> None:
    workspace.models = [Model("claims", "1", "azureml://x")]
    busy = error(429, "TooManyRequests", "slow down", Retry_After="0")
    azure.control.faults = [Fault("/models/claims/", busy, times=2)]
    assert client().models.get("claims", "1").version == "1"
    azure.control.faults = [Fault("/models/claims/", error(403, "AuthorizationFailed", "no role"))]
    with pytest.raises(HttpResponseError, match="no role") as refused:
        client().models.get("claims", "1")
    assert refused.value.status_code == 403


def test_storage_is_there_under_its_real_name(azure: Cloud, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(SECRET)
    federated = WorkloadIdentityCredential(tenant_id=TENANT, client_id=CLIENT, token_file_path=str(token_file))
    url = "https://demo.blob.core.windows.net/models"
    for key in (federated, azure.storage.sas("models")):
        with ContainerClient.from_container_url(url, key, api_version="2025-11-05") as container:
            assert container.download_blob("claims/3/model.onnx").readall() == b"content"


def test_nothing_else_can_be_reached(azure: Cloud) -> None:
    azure.tunnel.refused.clear()
    with pytest.raises(httpx.ProxyError):
        httpx.get("https://example.com/")
    assert azure.tunnel.refused == ["example.com"]
