"""The credential is found in the Secret, or in what workload identity gives the pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelserver.fetch.credentials import find

if TYPE_CHECKING:
    from pathlib import Path

POD = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_FEDERATED_TOKEN_FILE": "/token"}


def test_workload_identity_is_used_when_the_pod_has_all_of_it() -> None:
    found = find(None, POD)
    assert (found.kind, found.options["credential_type"]) == ("workload identity", "workload_identity")
    assert found.options["federated_token_file"] == "/token"
    assert find(None, POD | {"AZURE_CLIENT_ID": ""}).kind == "no credential"


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
