"""Workload identity, service principals and signed addresses, over https under Azure's own names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.fetch.conftest import Program
from tests.support.azure import cloud
from tests.support.azure.asked import Answer, Fault
from tests.support.azure.tokens import CLIENT, LOGIN, TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.azure.asked import Asked
    from tests.support.azure.cloud import Cloud

URI = "https://demo.blob.core.windows.net/models/claims/"
SECRET = "planted-secret"


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud.running(tmp_path_factory.mktemp("azure")) as azure:
        azure.control.entra.accepts = {SECRET}
        azure.storage.create_container("models")
        azure.storage.put("models", "claims/model.onnx", b"content")
        yield azure


@pytest.fixture
def fetcher(tmp_path: Path, azure: Cloud) -> Program:
    azure.control.asked.clear()
    azure.control.faults.clear()
    return Program(tmp_path, dict(azure.environment))


def asked_for_a_token(azure: Cloud) -> Asked:
    """The only request, to the authority."""
    (asked,) = azure.control.asked
    assert (asked.method, asked.host, asked.path) == ("POST", LOGIN, f"/{TENANT}/oauth2/v2.0/token")
    return asked


def in_a_pod_with_workload_identity(fetcher: Program, token: str) -> None:
    token_file = fetcher.folder / "token"
    token_file.write_text(token)
    fetcher.environment |= {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_FEDERATED_TOKEN_FILE": str(token_file),
    }


def test_workload_identity_opens_a_folder(fetcher: Program, azure: Cloud) -> None:
    in_a_pod_with_workload_identity(fetcher, SECRET)
    assert fetcher(URI).code == 0
    assert fetcher.files() == {"model.onnx": b"content"}
    form = asked_for_a_token(azure).form
    assert (form["client_id"], form["scope"]) == (CLIENT, "https://storage.azure.com/.default")


def test_a_service_principal_opens_a_folder(fetcher: Program, azure: Cloud) -> None:
    secret = fetcher.credentials(tenantId=TENANT, clientId=CLIENT, clientSecret=SECRET)
    assert fetcher(URI, secret).code == 0
    assert asked_for_a_token(azure).form["client_secret"] == SECRET


def test_a_service_principal_with_a_wrong_secret_is_an_invalid_credential(fetcher: Program) -> None:
    ended = fetcher(URI, fetcher.credentials(tenantId=TENANT, clientId=CLIENT, clientSecret="wrong-" + SECRET))
    assert (ended.code, ended.reason) == (4, "CredentialsInvalid")
    assert "does not accept a service principal (it answered 401, AADSTS7000215)" in ended.message
    assert "Invalid client secret" not in ended.printed
    assert SECRET not in ended.printed


def test_a_federated_token_that_entra_finds_expired_is_an_expired_credential(
    fetcher: Program, azure: Cloud
) -> None:
    in_a_pod_with_workload_identity(fetcher, SECRET)
    said = "AADSTS700024: Client assertion is not within its valid time range. Current time: ..."
    refusal = Answer(401, {"error": "invalid_client", "error_description": said, "error_codes": [700024]})
    azure.control.faults.append(Fault(LOGIN, refusal))
    ended = fetcher(URI)
    assert (ended.code, ended.reason) == (4, "CredentialsExpired")
    assert "workload identity (it answered 401, AADSTS700024)" in ended.message
    assert "the clock of this node is wrong" in ended.message
    assert "Client assertion" not in ended.printed


def test_a_federated_token_that_is_not_there_is_named(fetcher: Program, azure: Cloud) -> None:
    in_a_pod_with_workload_identity(fetcher, SECRET)
    (fetcher.folder / "token").unlink()
    ended = fetcher(URI)
    assert (ended.code, ended.reason) == (4, "CredentialsInvalid")
    assert f"needs the file {fetcher.folder / 'token'}" in ended.message
    assert azure.control.asked == []


def test_a_signed_address_of_a_registry_needs_no_token(fetcher: Program, azure: Cloud) -> None:
    secret = fetcher.credentials(sasToken=azure.storage.sas("models"), uri=URI)
    assert fetcher("azureml://registries/shared/models/claims/versions/3", secret).code == 0
    assert fetcher.files() == {"model.onnx": b"content"}
    assert azure.control.asked == []


def test_a_certificate_that_nobody_trusts_is_named(fetcher: Program) -> None:
    del fetcher.environment["SSL_CERT_FILE"]
    ended = fetcher(URI)
    assert ended.reason == "StorageUnreachable"
    assert "certificate is not trusted" in ended.message
