"""Workload identity and service principals, over https with tokens of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.fetch.conftest import Fetcher
from tests.support.azurite import running
from tests.support.entra import CLIENT, TENANT, Entra
from tests.support.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

URI = "https://demo.blob.test:10000/models/claims/"
SECRET = "planted-secret"


@pytest.fixture
def entra() -> Iterator[Entra]:
    entra = Entra(accepts=SECRET)
    yield entra
    entra.close()


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    with running(tmp_path_factory.mktemp("azurite"), tls=True) as storage:
        storage.create_container("models")
        storage.put("models", "claims/model.onnx", b"content")
        assert storage.certificate
        yield storage.port, storage.certificate


@pytest.fixture
def fetcher(tmp_path: Path, upstream: tuple[int, Path], entra: Entra) -> Iterator[Fetcher]:
    port, certificate = upstream
    proxy = Proxy(("127.0.0.1", port))
    environment = {"AZURE_AUTHORITY_HOST": entra.url, "no_proxy": "127.0.0.1", "SSL_CERT_FILE": str(certificate)}
    yield Fetcher(tmp_path, proxy, environment)
    proxy.close()


def in_a_pod_with_workload_identity(fetcher: Fetcher, token: str) -> None:
    token_file = fetcher.folder / "token"
    token_file.write_text(token)
    fetcher.environment |= {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_FEDERATED_TOKEN_FILE": str(token_file),
    }


def test_workload_identity_opens_a_folder(fetcher: Fetcher, entra: Entra) -> None:
    in_a_pod_with_workload_identity(fetcher, SECRET)
    assert fetcher(URI).code == 0
    assert fetcher.files() == {"model.onnx": b"content"}
    assert (entra.forms[0]["client_id"], entra.forms[0]["scope"]) == (CLIENT, "https://storage.azure.com/.default")


def test_a_service_principal_opens_a_folder(fetcher: Fetcher, entra: Entra) -> None:
    secret = fetcher.credentials(tenantId=TENANT, clientId=CLIENT, clientSecret=SECRET)
    assert fetcher(URI, secret).code == 0
    assert entra.forms[0]["client_secret"] == SECRET


def test_a_service_principal_with_a_wrong_secret_is_an_invalid_credential(fetcher: Fetcher) -> None:
    ended = fetcher(URI, fetcher.credentials(tenantId=TENANT, clientId=CLIENT, clientSecret="wrong-" + SECRET))
    assert (ended.code, ended.reason) == (4, "CredentialsInvalid")
    assert "does not accept a service principal (it answered 401)" in ended.message
    assert SECRET not in ended.printed


def test_a_certificate_that_nobody_trusts_is_named(fetcher: Fetcher) -> None:
    del fetcher.environment["SSL_CERT_FILE"]
    ended = fetcher(URI)
    assert ended.reason == "StorageUnreachable"
    assert "certificate is not trusted" in ended.message
