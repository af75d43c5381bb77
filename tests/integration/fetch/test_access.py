"""Credentials: each kind works, each that does not is named, and none is ever shown."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.integration.fetch.conftest import HOST, Fetcher
from tests.support.azurite import KEY

if TYPE_CHECKING:
    from tests.support.azurite import Azurite

URI = f"{HOST}/models/access/model.onnx"
SECRET = "cGxhbnRlZC1zZWNyZXQtMTIzNDU2Nzg5MA=="


@pytest.fixture(autouse=True)
def _blobs(azurite: Azurite) -> None:
    azurite.put("models", "access/model.onnx", b"private")
    azurite.put("public", "model.onnx", b"public")


def test_a_public_blob_needs_none(fetcher: Fetcher) -> None:
    assert fetcher(f"{HOST}/public/model.onnx").code == 0


@pytest.mark.parametrize("uri", [URI, f"{HOST}/models/access/"])
@pytest.mark.parametrize("prefix", ["", "?"])
def test_a_sas_token_opens_files_and_folders(fetcher: Fetcher, azurite: Azurite, uri: str, prefix: str) -> None:
    assert fetcher(uri, fetcher.credentials(sasToken=prefix + azurite.sas("models") + "\n")).code == 0
    assert fetcher.files() == {"model.onnx": b"private"}


def test_an_account_key_opens_everything(fetcher: Fetcher) -> None:
    assert fetcher(URI, fetcher.credentials(accountKey=KEY + "\n")).code == 0


def test_the_environment_does_not_get_in_the_way_of_the_secret(fetcher: Fetcher, azurite: Azurite) -> None:
    """Workload identity puts its variables into every pod of its service account, and obstore reads them."""
    fetcher.environment = {
        "AZURE_CLIENT_ID": "c",
        "AZURE_TENANT_ID": "t",
        "AZURE_FEDERATED_TOKEN_FILE": "/none",
        "AZURE_STORAGE_ACCOUNT_KEY": SECRET,
    }
    assert fetcher(URI, fetcher.credentials(sasToken=azurite.sas("models"))).code == 0


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({}, "no credential"),
        ({"accountKey": SECRET}, "an account key"),
        ({"sasToken": f"sv=2023-11-03&sr=c&sp=rl&se=2099-01-01T00:00:00Z&sig={SECRET}"}, "a SAS token"),
    ],
)
@pytest.mark.parametrize("uri", [URI, f"{HOST}/models/access/"])
def test_access_denied_names_the_credential_and_what_is_needed(
    fetcher: Fetcher, files: dict[str, str], kind: str, uri: str
) -> None:
    ended = fetcher(uri, *([fetcher.credentials(**files)] if files else []))
    assert (ended.code, ended.reason) == (4, "ModelAccessDenied")
    assert f"with {kind} (403" in ended.message
    assert "Storage Blob Data Reader" in ended.message
    assert SECRET not in ended.printed


@pytest.mark.parametrize(("permissions", "valid_for"), [("rl", timedelta(hours=-1)), ("r", timedelta(hours=1))])
def test_a_sas_token_that_is_expired_or_may_not_list_is_refused(
    fetcher: Fetcher, azurite: Azurite, permissions: str, valid_for: timedelta
) -> None:
    token = azurite.sas("models", permissions, valid_for)
    ended = fetcher(f"{HOST}/models/access/", fetcher.credentials(sasToken=token))
    assert ended.reason == "ModelAccessDenied"
    assert "read and list" in ended.message
    assert "sig=" not in ended.printed


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "lacks tenantId, clientId, clientSecret: it must hold sasToken"),
        ({"tenantId": "t", "clientId": "c"}, "lacks clientSecret"),
        ({"sasToken": "", "accountKey": "  "}, "lacks"),
        ({"accountKey": "%%% " + SECRET}, "an account key was given, but it is malformed"),
        ({"sasToken": SECRET.strip("=")}, "a SAS token was given, but it is malformed"),
        (
            {"tenantId": "t", "clientId": "c", "clientSecret": SECRET},
            "a service principal is used over https:// only",
        ),
    ],
)
def test_a_secret_that_holds_no_credential_is_refused_with_what_it_must_hold(
    fetcher: Fetcher, files: dict[str, str], sentence: str
) -> None:
    ended = fetcher(URI, fetcher.credentials(**files))
    assert (ended.code, ended.reason) == (4, "CredentialsInvalid")
    assert sentence in ended.message
    assert SECRET not in ended.printed


def test_a_folder_of_the_secret_that_is_not_mounted_is_named(fetcher: Fetcher) -> None:
    ended = fetcher(URI, "--credentials=/no/such/folder")
    assert ended.reason == "CredentialsInvalid"
    assert "/no/such/folder" in ended.message


def test_a_uri_that_carries_a_secret_is_refused_without_showing_it(fetcher: Fetcher) -> None:
    for uri in (f"{URI}?sv=2023-11-03&sig={SECRET}", f"https://user:{SECRET}@host/model.onnx"):
        ended = fetcher(uri)
        assert ended.reason == "CredentialsInvalid"
        assert "sasToken" in ended.message
        assert SECRET not in ended.printed
