"""The credential is found in the Secret, or in what workload identity gives the pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelserver.fetch.credentials import find
from modelserver.fetch.errors import CredentialsInvalid

if TYPE_CHECKING:
    from pathlib import Path

POD = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_FEDERATED_TOKEN_FILE": "/no/such/token"}


def test_workload_identity_is_used_when_the_pod_has_all_of_it(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("federated")
    pod = POD | {"AZURE_FEDERATED_TOKEN_FILE": str(token)}
    found = find(None, pod)
    assert (found.kind, found.options["credential_type"]) == ("workload identity", "workload_identity")
    assert found.options["federated_token_file"] == str(token)
    assert find(None, pod | {"AZURE_CLIENT_ID": ""}).kind == "no credential"


def test_a_federated_token_that_is_not_there_is_named() -> None:
    with pytest.raises(CredentialsInvalid, match="needs the file /no/such/token, which"):
        find(None, POD)


def test_a_secret_comes_before_workload_identity(tmp_path: Path) -> None:
    for name in ("tenantId", "clientId", "clientSecret"):
        (tmp_path / name).write_text(f"{name}\n")
    found = find(tmp_path, POD)
    assert found.kind == "a service principal"
    assert found.options == {
        "credential_type": "client_secret",
        "tenant_id": "tenantId",
        "client_id": "clientId",
        "client_secret": "clientSecret",
    }


def test_nothing_secret_is_in_its_text(tmp_path: Path) -> None:
    (tmp_path / "accountKey").write_text("PLANTED")
    assert "PLANTED" not in repr(find(tmp_path, {}))


def test_a_secret_may_say_where_the_model_really_is(tmp_path: Path) -> None:
    (tmp_path / "sasToken").write_text("sig=PLANTED")
    assert find(tmp_path, {}).place is None
    (tmp_path / "uri").write_text("https://acct.blob.core.windows.net/models/claims/3/\n")
    place = find(tmp_path, {}).place
    assert place
    assert (place.account, place.container, place.path, place.is_folder) == ("acct", "models", "claims/3", True)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "claims/PLANTED",
        "azureml://registries/shared/models/PLANTED/versions/3",
        "https://acct.blob.core.windows.net/models/claims/?sv=2023-11-03&sig=PLANTED",
        "https://user:PLANTED@acct.blob.core.windows.net/models/claims/",
        "https://acct.blob.core.windows.net#PLANTED",
        "https://[PLANTED/models/claims/",
    ],
)
def test_a_secret_with_another_uri_is_refused_without_showing_it(tmp_path: Path, uri: str) -> None:
    (tmp_path / "sasToken").write_text("sig=PLANTED")
    (tmp_path / "uri").write_text(uri)
    with pytest.raises(CredentialsInvalid, match="the file uri of the Secret must hold the address") as refused:
        find(tmp_path, {})
    assert "PLANTED" not in str(refused.value)


def test_a_uri_alone_is_no_credential(tmp_path: Path) -> None:
    (tmp_path / "uri").write_text("https://acct.blob.core.windows.net/models/claims/3/")
    with pytest.raises(CredentialsInvalid, match="lacks tenantId"):
        find(tmp_path, {})
