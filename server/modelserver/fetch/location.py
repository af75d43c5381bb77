"""Where a model is: a URI taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, unquote, urlsplit

from modelserver.fetch.errors import CredentialsInvalid, ModelNotFound

# Azure's own names (ACCOUNT.blob.core.windows.net, and other clouds'), and emulators that are named like them.
AZURE_HOST = re.compile(r"(?P<account>[a-z0-9]{3,24})\.blob\..+")


@dataclass(frozen=True, slots=True)
class Location:
    """A file or folder. `account` and `container` are empty for a web server; `path` has no slash at its ends.

    `is_folder` is true where the URI ends in a slash; a blob folder may also be meant without one.
    """

    uri: str
    endpoint: str
    account: str
    container: str
    path: str
    is_folder: bool

    @property
    def is_azure(self) -> bool:
        """Whether this is Azure Blob storage."""
        return bool(self.account)

    @property
    def is_encrypted(self) -> bool:
        """Whether the way there is."""
        return self.endpoint.startswith("https:")

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def called(self, uri: str) -> Location:
        """The same place under another name, of any scheme. Raises CredentialsInvalid when that carries a
        credential.
        """
        _split(uri)
        return replace(self, uri=uri)


def parse(uri: str) -> Location:
    """The location that `uri` names.

    Raises ModelNotFound when it cannot name one, CredentialsInvalid when it carries a credential: a URI is shown
    in statuses and logs.
    """
    parts = _split(uri)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ModelNotFound("the URI of the model must begin with https:// and name a host")
    endpoint, path = f"{parts.scheme}://{parts.netloc}", unquote(parts.path).lstrip("/")
    if azure := AZURE_HOST.fullmatch(parts.hostname):
        container, _, path = path.partition("/")
        return _location(uri, endpoint, azure["account"], container, path, needs_container=True)
    location = _location(uri, endpoint, "", "", path)
    if location.is_folder or not location.path:
        raise ModelNotFound(f"{uri} names a folder, but only Azure Blob storage can list one: name a file")
    return location


def _split(uri: str) -> SplitResult:
    try:
        parts = urlsplit(uri)
    except ValueError:  # whose text may hold a password
        raise ModelNotFound("the URI of the model is malformed") from None
    if parts.query or parts.username or parts.password:
        raise CredentialsInvalid(
            "the URI of the model must not carry a query or password: put a SAS token into the Secret, as sasToken"
        )
    return parts


def _location(
    uri: str, endpoint: str, account: str, container: str, path: str, *, needs_container: bool = False
) -> Location:
    if needs_container and not container:
        raise ModelNotFound(f"{uri} names no container: write https://ACCOUNT.blob.…/CONTAINER/PATH")
    is_folder = path.endswith("/") or not path
    return Location(uri, endpoint, account, container, path.strip("/"), is_folder)
