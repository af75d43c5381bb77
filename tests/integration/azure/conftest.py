"""An Azure for the SDKs in this process, and questions to it."""

from __future__ import annotations

import traceback
import warnings
from importlib import import_module
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from modelfleet.aml import clients, lookups
from modelfleet.aml.clients import IDENTITY, Client, Clients
from modelfleet.core import api
from modelfleet.core.errors import ModelfleetError, Retryable, Terminal
from modelfleet.core.registered import Principal, Resolution
from tests.support.azure import cloud
from tests.support.azure.asked import Fault
from tests.support.azure.registries import Registry
from tests.support.azure.tokens import CLIENT, TENANT
from tests.support.azure.workspaces import Datastore, Model, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.azure.asked import Answer
    from tests.support.azure.cloud import Cloud

with warnings.catch_warnings():
    # The SDK defines hundreds of fields in a way that its marshmallow finds old.
    warnings.simplefilter("ignore")
    import_module("azure.ai.ml")

SUBSCRIPTION = "33333333-3333-3333-3333-333333333333"
SECRET = "planted-secret"
PRINCIPAL = Principal(TENANT, CLIENT, SECRET)
HOME = api.Workspace(SUBSCRIPTION, "rg-ml", "ml-prod")
SHARED = api.Workspace(registry="shared")
PLANTED = "eyJhbGciOiJSUzI1NiJ9.planted-token?sv=2026-01-01&sig=planted"
"""What no sentence may show."""
DATASTORE = "azureml://datastores/workspaceblobstore/paths"


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An Azure whose service principal has `SECRET`, with one model in storage."""
    with cloud.running(tmp_path_factory.mktemp("azure")) as azure:
        azure.control.entra.accepts = {SECRET}
        azure.storage.create_container("models")
        azure.storage.put("models", "claims/3/model.onnx", b"content")
        yield azure


@pytest.fixture
def azure(running: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """It, found by this process, with nothing registered; the SDKs try again at once."""
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    for name in IDENTITY:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZUREML_CURRENT_CLOUD", "AzureCloud")  # the SDK would set it for good
    monkeypatch.setattr(clients, "LIMITS", {**clients.LIMITS, "retry_backoff_factor": 0})
    at_once = {"initial_backoff": 0, "increment_base": 0, "random_jitter_range": 0}
    monkeypatch.setattr(clients, "STORAGE_LIMITS", at_once)
    for found in (running.control.asked, running.control.faults):
        found.clear()
    running.control.workspaces.clear()
    running.control.registries.clear()
    return running


@pytest.fixture
def container(azure: Cloud) -> str:
    """An empty container of the storage account `demo`."""
    name = f"models-{uuid4().hex[:12]}"
    azure.storage.create_container(name)
    return name


@pytest.fixture
def workspace(azure: Cloud) -> Workspace:
    """An empty workspace, which is `HOME`."""
    found = Workspace(SUBSCRIPTION, "rg-ml", "ml-prod")
    azure.control.workspaces[:] = [found]
    return found


@pytest.fixture
def register(workspace: Workspace, container: str) -> Callable[..., Model]:
    """Registers a model in `HOME`, whose datastore is `container`."""
    workspace.datastores = [Datastore("workspaceblobstore", "demo", container)]

    def registered(uri: str, version: str = "3", **fields: object) -> Model:
        model = Model("claims", version, uri, **fields)  # type: ignore[arg-type]
        workspace.models.append(model)
        return model

    return registered


@pytest.fixture
def identity(azure: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The token file of the operator's workload identity, which Microsoft Entra accepts."""
    token = tmp_path / "azure-identity-token"
    token.write_text(SECRET)
    for name, value in zip(IDENTITY, (TENANT, CLIENT, str(token)), strict=True):
        monkeypatch.setenv(name, value)
    return token


@pytest.fixture
def model(workspace: Workspace) -> Model:
    """A registered model, whose files are in an account that answers nothing but faults."""
    workspace.datastores = [Datastore("workspaceblobstore", "faulty", "models")]
    workspace.models = [Model("claims", "3", f"{DATASTORE}/claims")]
    return workspace.models[0]


@pytest.fixture
def registry(azure: Cloud) -> Registry:
    """A registry whose files are in an account that answers nothing but faults."""
    found = Registry("shared", ("faulty",), azure.storage.sas, [Model("claims", "3", "models/claims")])
    azure.control.registries[:] = [found]
    return found


def client(workspace: api.Workspace = HOME, principal: Principal | None = PRINCIPAL) -> Client:
    """A new client."""
    return Clients().of(workspace, principal)


def resolved(
    file: str = "", workspace: api.Workspace = HOME, principal: Principal | None = PRINCIPAL
) -> Resolution:
    """What version 3 of the model `claims` is."""
    model = api.Model("claims", file=file, workspace=workspace)
    return lookups.resolve(client(workspace, principal), model, "3")


def failure(ask: Callable[[], object]) -> Terminal | Retryable:
    """The error in which a question ends, as the operator knows it."""
    with pytest.raises((Terminal, Retryable)) as raised:
        ask()
    assert isinstance(raised.value, Terminal | Retryable)
    return raised.value


def failed(
    ask: Callable[[], object], class_: type[ModelfleetError], reason: str, *words: str
) -> Terminal | Retryable:
    """The error that a question has to end in, which shows no secret however it is written."""
    raised = failure(ask)
    assert (type(raised), raised.reason) == (class_, reason), str(raised)
    shown = str(raised) + repr(raised) + "".join(traceback.format_exception(raised))
    assert not [secret for secret in (SECRET, PLANTED, "planted", "sig=", "client_secret") if secret in shown]
    for word in words:
        assert word in str(raised)
    assert str(raised)[0].isupper()
    assert str(raised).endswith(".")
    return raised


def fails_with(azure: Cloud, host: str, answer: Answer) -> None:
    """From now on, that is the answer to whatever is asked of a host, or of what matches the pattern."""
    azure.control.faults = [Fault(host, answer)]
