"""Which credential to use, from the files of a mounted Secret or from what workload identity puts into a pod."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from modelserver.fetch import location
from modelserver.fetch.errors import CredentialsInvalid, FetchError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from obstore.store import AzureConfig

    from modelserver.fetch.location import Location

PRINCIPAL = ("tenantId", "clientId", "clientSecret")
WORKLOAD_IDENTITY = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE")


@dataclass(frozen=True, slots=True)
class Credentials:
    """`kind` in words for a message, and `options`, secret, for the store.

    `is_token` is true for those that must not travel unencrypted, because who sees one can use it elsewhere.
    `place` is where the model really is, if its URI is only a name: what is signed is that address and no other.
    """

    kind: str
    options: AzureConfig = field(repr=False)
    is_token: bool = False
    place: Location | None = None


def find(folder: Path | None, environment: Mapping[str, str]) -> Credentials:
    """The credential in the files of `folder`: `sasToken`, or `accountKey`, or `tenantId`, `clientId` and
    `clientSecret`; with its `place` where there is a file `uri`. Without a folder, workload identity where the pod
    has it, or else none: public blobs.

    Every option is given and the type named, since obstore would take the rest from the environment.
    Raises CredentialsInvalid when the folder holds none of these, or only a part, or what cannot be used.
    """
    if folder:
        files = {file.name: _text(file) for file in _files(folder)}
        return replace(_from_files(files), place=_place(files.get("uri")))
    if all(environment.get(name) for name in WORKLOAD_IDENTITY):
        return _workload_identity(*(environment[name] for name in WORKLOAD_IDENTITY))
    return Credentials("no credential", {"skip_signature": True})


def _from_files(files: dict[str, str]) -> Credentials:
    if token := files.get("sasToken"):
        return Credentials("a SAS token", {"credential_type": "sas_token", "sas_key": token.lstrip("?")})
    if key := files.get("accountKey"):
        return Credentials("an account key", {"credential_type": "access_key", "account_key": key})
    missing = [name for name in PRINCIPAL if not files.get(name)]
    if missing:
        raise CredentialsInvalid(
            f"the Secret lacks {', '.join(missing)}: it must hold sasToken, or accountKey, or all of "
            f"{', '.join(PRINCIPAL)}"
        )
    return _principal(*(files[name] for name in PRINCIPAL))


def _principal(tenant: str, client: str, secret: str) -> Credentials:
    options: AzureConfig = {
        "credential_type": "client_secret",
        "tenant_id": tenant,
        "client_id": client,
        "client_secret": secret,
    }
    return Credentials("a service principal", options, is_token=True)


def _place(uri: str | None) -> Location | None:
    try:
        return None if uri is None else location.parse(uri)
    except FetchError:
        raise CredentialsInvalid(
            "the file uri of the Secret must hold the address of the model's file or folder, "
            "https://ACCOUNT.blob.…/CONTAINER/PATH, without a query"
        ) from None


def _workload_identity(tenant: str, client: str, token_file: str) -> Credentials:
    if not os.access(token_file, os.R_OK):
        raise CredentialsInvalid(
            f"workload identity needs the file {token_file}, which AZURE_FEDERATED_TOKEN_FILE names: "
            "it is not there, or cannot be read"
        )
    options: AzureConfig = {
        "credential_type": "workload_identity",
        "tenant_id": tenant,
        "client_id": client,
        "federated_token_file": token_file,
    }
    return Credentials("workload identity", options, is_token=True)


def _files(folder: Path) -> list[Path]:
    try:
        return [file for file in folder.iterdir() if file.is_file()]
    except OSError:
        raise CredentialsInvalid(f"the folder {folder} of the Secret cannot be read") from None


def _text(file: Path) -> str:
    """Secrets are often made from files that end in a newline."""
    return file.read_text("utf-8", errors="replace").strip()
