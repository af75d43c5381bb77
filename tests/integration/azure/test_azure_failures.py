"""Every way in which Azure does not answer: its class, its reason, and a sentence that shows no secret."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from modelfleet.aml import lookups
from modelfleet.core import api, errors
from modelfleet.core.registered import Principal
from tests.integration.azure.conftest import (
    HOME,
    PLANTED,
    PRINCIPAL,
    SECRET,
    SHARED,
    client,
    failed,
    fails_with,
    failure,
    resolved,
)
from tests.support.azure.asked import Answer, error, storage_error
from tests.support.azure.cloud import FAULTY
from tests.support.azure.registries import DISCOVERY, REGION, Registry
from tests.support.azure.tokens import CLIENT, LOGIN, TENANT
from tests.support.azure.workspaces import ARM, Model, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.azure.cloud import Cloud

ENVIRONMENT = api.Environment("claims-env:4", HOME)


def latest() -> str:
    return lookups.latest_version(client(), "claims")


def image() -> str:
    return lookups.image_of(client(), ENVIRONMENT)


# Not there


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"subscription": "44444444-4444-4444-4444-444444444444"}, "SubscriptionNotFound"),
        ({"group": "another"}, "ResourceGroupNotFound"),
        ({"name": "another"}, "ResourceNotFound"),
    ],
)
@pytest.mark.parametrize("ask", [latest, resolved, image])
def test_a_workspace_that_does_not_exist(
    workspace: Workspace, fields: dict[str, str], code: str, ask: Callable[[], object]
) -> None:
    for name, value in fields.items():
        setattr(workspace, name, value)
    failed(ask, errors.NotFound, "WorkspaceNotFound", "The workspace ml-prod", code, "workspace.resourceGroup")


def test_a_registry_that_does_not_exist(azure: Cloud) -> None:
    words = ("The registry shared does not exist (RegistryNotFound)", "check workspace.registry")
    failed(lambda: client(SHARED), errors.NotFound, "WorkspaceNotFound", *words)


def test_a_model_that_does_not_exist(workspace: Workspace, registry: Registry) -> None:
    words = ("The workspace ml-prod does not have version 3 of the model claims",)
    failed(resolved, errors.NotFound, "ModelNotFound", *words)
    failed(latest, errors.NotFound, "ModelNotFound", "does not have any version of the model claims")
    registry.models.clear()
    failed(lambda: resolved(workspace=SHARED), errors.NotFound, "ModelNotFound", "The registry shared does not")
    newest = lookups.latest_version
    failed(lambda: newest(client(SHARED), "claims"), errors.NotFound, "ModelNotFound")


def test_something_of_a_workspace_that_is_not_there_is_not_the_workspace(azure: Cloud, model: Model) -> None:
    missing = "The Resource 'Microsoft.MachineLearningServices/workspaces/ml-prod/models/x' was not found."
    fails_with(azure, "/models/", error(404, "ResourceNotFound", missing))
    failed(resolved, errors.NotFound, "ModelNotFound")


def test_a_datastore_that_does_not_exist(model: Model, workspace: Workspace) -> None:
    workspace.datastores.clear()
    failed(resolved, errors.NotFound, "DatastoreNotFound", "does not have the datastore workspaceblobstore")


def test_a_datastore_of_a_workspace_that_does_not_exist_is_the_models_fault(model: Model) -> None:
    place = "subscriptions/44444444-4444-4444-4444-444444444444/resourceGroups/rg/workspaces/ml-lab"
    model.uri = f"azureml://{place}/datastores/results/paths/claims"
    failed(resolved, errors.NotFound, "WorkspaceNotFound", "The workspace ml-lab", "register the model again")


def test_an_environment_that_does_not_exist(workspace: Workspace) -> None:
    failed(image, errors.NotFound, "EnvironmentNotFound", "the environment claims-env:4", "environment.azureml")


def test_a_container_that_does_not_exist(model: Model, workspace: Workspace) -> None:
    workspace.datastores[0].account = "demo"
    workspace.datastores[0].container = "no-such-container"
    failed(resolved, errors.NotFound, "ModelEmpty", "does not have version 3 of the model claims")


# Azure Resource Manager refuses


def test_too_many_requests_name_the_pause_and_nobody_sleeps(azure: Cloud, model: Model) -> None:
    for said in ("120", format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)):
        fails_with(azure, ARM, error(429, "TooManyRequests", PLANTED, Retry_After=said))
        azure.control.asked.clear()
        raised = failed(latest, errors.Throttled, "AzureThrottled", ARM)
        assert isinstance(raised, errors.Throttled)
        assert 115 <= (raised.retry_after_s or 0) <= 120
        assert sum(asked.host == ARM for asked in azure.control.asked) == 1


@pytest.mark.parametrize("said", ["soon", "-1", "Mon, 01 Jan 2001 00:00:00 GMT"])
def test_a_pause_that_is_none_is_not_named(azure: Cloud, model: Model, said: str) -> None:
    fails_with(azure, ARM, error(429, "TooManyRequests", PLANTED, Retry_After=said))
    raised = failure(latest)
    assert not getattr(raised, "retry_after_s", None)


@pytest.mark.parametrize("status", [408, 500, 503, 504])
def test_a_failure_of_azure_passes(azure: Cloud, model: Model, status: int) -> None:
    fails_with(azure, ARM, error(status, "ServerError", PLANTED))
    failed(latest, errors.Unavailable, "AzureUnavailable", f"({ARM}: {status} ServerError)")


def test_a_token_that_is_not_accepted(azure: Cloud, model: Model) -> None:
    fails_with(azure, ARM, error(401, "InvalidAuthenticationTokenTenant", PLANTED))
    words = (f"the service principal {CLIENT}", "401 InvalidAuthenticationTokenTenant", "tenant")
    failed(resolved, errors.Unauthenticated, "AzureUnauthorized", *words)


def test_a_missing_role_is_named(azure: Cloud, model: Model, registry: Registry) -> None:
    denied = error(403, "AuthorizationFailed", PLANTED)
    fails_with(azure, ARM, denied)
    words = (f"The service principal {CLIENT} may not read", "the role Reader on the workspace ml-prod")
    for ask in (latest, resolved, image):
        failed(ask, errors.Forbidden, "AzureAccessDenied", *words)
    for host in (DISCOVERY, REGION):
        fails_with(azure, host, denied)
        role = "the role AzureML Registry User on the registry shared"
        failed(lambda: resolved(workspace=SHARED), errors.Forbidden, "AzureAccessDenied", role)


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        (error(400, "UserError", PLANTED), "(400 UserError)"),
        (error(409, f"Code {PLANTED}", PLANTED), "(409)"),
        (error(400, "", PLANTED), "(400)"),
        (Answer(200, f"<html>{PLANTED}</html>", {"Content-Type": "text/html"}), "Error)"),
        (Answer(200, f"<html>{PLANTED}</html>"), "Error)"),
        (Answer(200, [PLANTED]), "E"),
    ],
)
@pytest.mark.parametrize("ask", [latest, resolved, image])
def test_an_answer_that_is_not_foreseen(
    azure: Cloud, model: Model, answer: Answer, label: str, ask: Callable[[], object]
) -> None:
    fails_with(azure, ARM, answer)
    failed(ask, errors.Terminal, "AzureRefused", label)


@pytest.mark.parametrize("ask", [resolved, image])
def test_an_answer_in_which_everything_is_missing(azure: Cloud, model: Model, ask: Callable[[], object]) -> None:
    fails_with(azure, ARM, Answer(200, {"id": PLANTED}))
    failed(ask, errors.Terminal, "AzureRefused")


# Microsoft Entra refuses


def refusal_of_entra(code: str, text: str = "") -> Answer:
    said = f"AADSTS{code}: {text} {PLANTED}"
    return Answer(401, {"error": "invalid_client", "error_description": said})


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("7000215", "CredentialsInvalid"),
        ("700016", "CredentialsInvalid"),
        ("7000222", "CredentialsExpired"),
        ("700024", "ClockSkew"),
        ("50013", "ClockSkew"),
        ("700213", "CredentialsInvalid"),
    ],
)
@pytest.mark.parametrize("principal", [PRINCIPAL, None])
def test_a_refusal_of_entra_names_its_code(
    azure: Cloud, identity: Path, model: Model, code: str, reason: str, principal: Principal | None
) -> None:
    fails_with(azure, f"POST https://{LOGIN}", refusal_of_entra(code, "is not within its valid time range"))
    who = "service principal" if principal else "operator's workload identity"
    failed(
        lambda: resolved(principal=principal),
        errors.Unauthenticated,
        reason,
        f"AADSTS{code}",
        f"the {who} {CLIENT}",
    )


def test_a_wrong_secret(workspace: Workspace) -> None:
    wrong = Principal(TENANT, CLIENT, PLANTED)
    refused = lambda: resolved(principal=wrong)  # noqa: E731
    failed(refused, errors.Unauthenticated, "CredentialsInvalid", "AADSTS7000215", "not its id")


def test_a_secret_in_the_place_of_the_client_id_is_not_shown(workspace: Workspace) -> None:
    confused = Principal(TENANT, PLANTED, CLIENT)
    refused = lambda: resolved(principal=confused)  # noqa: E731
    failed(refused, errors.Unauthenticated, "CredentialsInvalid", "the service principal of the Secret")


def test_a_tenant_that_does_not_exist(azure: Cloud, workspace: Workspace) -> None:
    missing = {"error": "invalid_tenant", "error_description": f"AADSTS90002: {PLANTED}"}
    fails_with(azure, f"GET https://{LOGIN}", Answer(400, missing))
    failed(resolved, errors.Unauthenticated, "CredentialsInvalid", "AADSTS90002", "no such tenant")


@pytest.mark.parametrize("tenant", ["", "no tenant", "x/y"])
def test_a_tenant_that_cannot_be_one(azure: Cloud, tenant: str) -> None:
    wrong = Principal(tenant, CLIENT, SECRET)
    failed(lambda: client(principal=wrong), errors.Unauthenticated, "CredentialsInvalid", "tenantId")


@pytest.mark.parametrize(("principal", "method"), [(PRINCIPAL, "GET"), (PRINCIPAL, "POST"), (None, "POST")])
@pytest.mark.parametrize(
    ("status", "class_", "reason"),
    [
        (429, errors.Throttled, "AzureThrottled"),
        (500, errors.Unavailable, "AzureUnavailable"),
        (503, errors.Unavailable, "AzureUnavailable"),
    ],
)
def test_entra_that_cannot_answer_now(
    azure: Cloud,
    identity: Path,
    model: Model,
    principal: Principal | None,
    method: str,
    status: int,
    class_: type[errors.Retryable],
    reason: str,
) -> None:
    fails_with(azure, f"{method} https://{LOGIN}", Answer(status, f"<html>{PLANTED}</html>"))
    failed(lambda: resolved(principal=principal), class_, reason)


@pytest.mark.parametrize("path", ["no-such-file", "."])
def test_a_token_file_that_cannot_be_read_is_named(
    workspace: Workspace, identity: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    missing = str(identity.parent / path)
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", missing)
    ask = lambda: resolved(principal=None)  # noqa: E731
    failed(ask, errors.Unauthenticated, "TokenFileMissing", missing, "workload identity")


# Storage refuses


@pytest.mark.parametrize("code", ["AuthorizationPermissionMismatch", "AuthorizationFailure"])
def test_files_that_may_not_be_listed_name_role_and_container(azure: Cloud, model: Model, code: str) -> None:
    fails_with(azure, FAULTY, storage_error(403, code, PLANTED))
    words = (
        f"The service principal {CLIENT}",
        f"https://{FAULTY}/models (403 {code})",
        "Storage Blob Data Reader",
    )
    failed(resolved, errors.Forbidden, "StorageAccessDenied", *words)


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "AuthenticationFailed"), (401, "InvalidAuthenticationInfo"), (401, "NoAuthenticationInformation")],
)
def test_a_token_that_storage_does_not_accept(azure: Cloud, model: Model, status: int, code: str) -> None:
    fails_with(azure, FAULTY, storage_error(status, code, PLANTED))
    failed(resolved, errors.Unauthenticated, "AzureUnauthorized", f"({status} {code})")


def test_clocks_that_differ_as_storage_sees_it(azure: Cloud, model: Model) -> None:
    detail = "Request date header too old: 'Fri, 04 Oct 2019 18:02:12 GMT'"
    fails_with(azure, FAULTY, storage_error(403, "AuthenticationFailed", PLANTED, detail))
    failed(resolved, errors.Unauthenticated, "ClockSkew", "(403 AuthenticationFailed)", "Check the clocks")


def test_a_signed_address_that_has_ended(azure: Cloud, registry: Registry) -> None:
    fails_with(azure, FAULTY, storage_error(403, "AuthenticationFailed", PLANTED))
    for ask in (lambda: resolved(workspace=SHARED), lambda: lookups.sign(client(SHARED), "claims", "3")):
        failed(ask, errors.Unauthenticated, "CredentialsExpired", "registry shared", "(403 AuthenticationFailed)")


@pytest.mark.parametrize(("permissions", "hours"), [("rl", -1), ("r", 1)])
def test_a_signed_address_that_may_not_list(
    azure: Cloud, registry: Registry, permissions: str, hours: int
) -> None:
    registry.accounts = ("demo",)
    valid_for = timedelta(hours=hours)
    registry.sas = lambda name, account: azure.storage.sas(name, permissions, valid_for, account)
    words = ("https://demo.blob.core.windows.net/models", "signed")
    failed(lambda: resolved(workspace=SHARED), errors.Forbidden, "StorageAccessDenied", *words)


@pytest.mark.parametrize(
    ("answer", "class_", "reason"),
    [
        (storage_error(503, "ServerBusy", PLANTED), errors.Unavailable, "AzureUnavailable"),
        (storage_error(500, "InternalError", PLANTED), errors.Unavailable, "AzureUnavailable"),
        (storage_error(429, "TooManyRequests", PLANTED), errors.Throttled, "AzureThrottled"),
        (storage_error(404, "ContainerNotFound", PLANTED), errors.NotFound, "ModelEmpty"),
        (storage_error(404, "ResourceNotFound", PLANTED), errors.NotFound, "ModelEmpty"),
        (storage_error(400, "InvalidHeaderValue", PLANTED), errors.Terminal, "AzureRefused"),
        (Answer(200, f"<html>{PLANTED}", {"Content-Type": "text/html"}), errors.Terminal, "AzureRefused"),
    ],
)
def test_storage_that_does_not_answer_as_it_should(
    azure: Cloud, model: Model, registry: Registry, answer: Answer, class_: type[Any], reason: str
) -> None:
    fails_with(azure, FAULTY, answer)
    for home in (HOME, SHARED):
        failed(lambda home=home: resolved(workspace=home), class_, reason)  # type: ignore[misc]
