"""An operator that finds Azure behind a proxy, under its real names, and a workspace with models in it."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.azure import cloud
from tests.support.azure.registries import Registry
from tests.support.azure.tokens import CLIENT, TENANT
from tests.support.azure.workspaces import Datastore, Model, Workspace
from tests.support.azurite import ACCOUNT
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import condition, exists, status_of
from tests.support.operator import OperatorProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.azure.cloud import Cloud
    from tests.support.modeldeployments import Manifest

SUBSCRIPTION = "33333333-3333-3333-3333-333333333333"
SECRET = "planted-secret-of-the-principal"
TOKEN = "planted-token-of-the-operator"
POLL_S = 1


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An Azure with files of a model in the container `models`."""
    with cloud.running(tmp_path_factory.mktemp("azure")) as found:
        found.control.entra.accepts = {SECRET, TOKEN}
        found.storage.create_container("models")
        yield found


@pytest.fixture(scope="module")
def variables(azure: Cloud, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the operator's pod is given: the way to Azure, and a workload identity."""
    token = tmp_path_factory.mktemp("identity") / "token"
    token.write_text(TOKEN)
    identity = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_FEDERATED_TOKEN_FILE": str(token)}
    return {**azure.environment, **identity, "MODELFLEET_POLL_SECONDS": str(POLL_S)}


@pytest.fixture(scope="module")
def operator(
    operator_kubeconfig: Path, variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """A running operator that leads."""
    folder = tmp_path_factory.mktemp("operator")
    process = OperatorProcess.start(operator_kubeconfig, folder, variables=variables)
    yield process.wait_until_leading()
    assert process.stop() == 0
    log = process.log.read_text()
    assert "Traceback" not in log
    assert not any(planted in log for planted in (SECRET, TOKEN, "sig="))


@pytest.fixture
def workspace(azure: Cloud) -> Workspace:
    """The workspace ml-prod with versions 1 to 3 of the model claims; nothing goes wrong or was asked yet."""
    for version in ("1", "2", "3"):
        azure.storage.put("models", f"claims/{version}/model.onnx", b"version " + version.encode())
    datastore = Datastore("workspaceblobstore", "demo", "models")
    found = Workspace(SUBSCRIPTION, "rg-ml", "ml-prod", datastores=[datastore])
    found.models = [registered(found, "claims", version) for version in ("1", "2", "3")]
    azure.control.workspaces[:] = [found]
    azure.control.faults.clear()
    azure.control.asked.clear()
    return found


def registered(workspace: Workspace, name: str, version: str, folder: str = "") -> Model:
    """A version of a model whose files are in a folder of the workspace's own datastore."""
    path = folder or f"{name}/{version}"
    place = workspace.id.removeprefix("/").replace("/providers/Microsoft.MachineLearningServices", "")
    return Model(name, version, f"azureml://{place}/datastores/workspaceblobstore/paths/{path}/")


def of_workspace(name: str = "claims", *, version: str = "3", secret: str = "aml", **spec: Any) -> Manifest:
    """A ModelDeployment of a model of ml-prod; without a Secret, the operator's identity is used."""
    credentials = {"credentials": {"secretName": secret}} if secret else {}
    place = {"subscriptionId": SUBSCRIPTION, "resourceGroup": "rg-ml", "name": "ml-prod", **credentials}
    return {
        "apiVersion": "modelfleet.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {"workspace": place, "model": {"name": "claims", "version": version}, **spec},
    }


def principal(name: str = "aml", client_secret: str = SECRET) -> Manifest:
    """The Secret of a service principal."""
    data = {"tenantId": TENANT, "clientId": CLIENT, "clientSecret": client_secret}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def resolved(
    kubectl: Kubectl, reason: str = "Resolved", name: str = "claims", *, within_s: float = 40
) -> Manifest:
    """The status, once ModelsResolved has that reason."""

    def look() -> Manifest | None:
        status = status_of(kubectl, name)
        found = condition(status, "ModelsResolved")
        assert found.get("reason") == reason, json.dumps(status.get("conditions"))
        return status

    status = eventually(look, within_s=within_s)
    assert status
    return status


def of_registry(version: str = "3") -> Manifest:
    """A ModelDeployment of a model of the registry `shared`."""
    place = {"registry": "shared", "credentials": {"secretName": "aml"}}
    return {
        "apiVersion": "modelfleet.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "claims"},
        "spec": {"workspace": place, "model": {"name": "claims", "version": version}},
    }


def register(
    azure: Cloud, version: str, valid_for: timedelta = timedelta(hours=8), accounts: tuple[str, ...] = (ACCOUNT,)
) -> None:
    """Puts a version of the model into the registry, which signs for so long, of each account in turn."""
    sign = partial(azure.storage.sas, valid_for=valid_for)
    azure.control.registries[:] = [
        Registry("shared", accounts, sign, [Model("claims", version, "models/claims/3")])
    ]


def signed(kubectl: Kubectl) -> dict[str, str]:
    """What the pods' Secret holds."""
    data = exists(kubectl, "secret", "claims-model")["data"]
    return {key: b64decode(value).decode() for key, value in data.items()}


def generation(kubectl: Kubectl) -> int:
    """That of the Deployment, which changes when pods are restarted."""
    found: int = exists(kubectl, "deployment", "claims")["metadata"]["generation"]
    return found
