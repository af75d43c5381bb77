"""Storage, read through obstore: which files there are, and their bytes, all of the same version."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
from obstore import exceptions
from obstore.store import AzureStore, HTTPStore

from modelserver.fetch.errors import (
    CredentialsExpired,
    CredentialsInvalid,
    FetchError,
    ModelAccessDenied,
    ModelChanged,
    ModelInvalid,
    ModelNotFound,
    StorageError,
    StorageUnreachable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from obstore import ObjectMeta
    from obstore.store import AzureConfig, ClientConfig, RetryConfig

    from modelserver.fetch.credentials import Credentials
    from modelserver.fetch.location import Location

# Small enough to be in the processor's cache still when it is hashed: a tenth faster than with 4 MiB.
PIECE_BYTES = 256 * 1024
# A model may take hours, but a connection that is silent for this long is dead.
SILENCE = timedelta(seconds=10)
CLIENT: ClientConfig = {
    "allow_http": True,
    "connect_timeout": timedelta(seconds=5),
    "read_timeout": SILENCE,
    "timeout": timedelta(days=1),
}
NO_RETRIES: RetryConfig = {"max_retries": 0, "retry_timeout": timedelta(0)}  # they are the fetcher's decision
STATUS = re.compile(r"non-2xx status code: (\d{3})")
CODE = re.compile(r"<Code>(\w+)</Code>")
# What storage writes into AuthenticationErrorDetail; a field that was cut or escaped twice is not well formed.
EXPIRED, MALFORMED = "Signature not valid in the specified time frame", "Signature fields not well formed"
OLD = "Request date header too old"
ENTRA_CODE = re.compile(r"AADSTS\d+")
ASSERTION_EXPIRED = "AADSTS700024"
CAUSES = {
    "dns error": "its name cannot be resolved",
    "Connection refused": "it refuses connections",
    "TimedOut": "it does not answer in time",
    "timed out": "it does not answer in time",
    "ertificate": "its TLS certificate is not trusted",
}


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file: `key` in storage, `path` below the model's folder, and what pins its version."""

    key: str
    path: str
    size: int
    etag: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """The files of a model, sorted by path; one that is no folder has just one."""

    files: tuple[RemoteFile, ...]
    is_folder: bool

    @property
    def size(self) -> int:
        """Bytes in all files."""
        return sum(file.size for file in self.files)


class Source:
    """The storage at `location`, opened with `credentials`. Raises CredentialsInvalid when they cannot be used."""

    def __init__(self, location: Location, credentials: Credentials) -> None:
        self._location = location
        self._credentials = credentials
        self._store = open_store(location, credentials)

    def find(self) -> Found:
        """What there is to fetch. Raises FetchError."""
        location = self._location
        if not location.is_azure:
            return self._single(self._head())
        blob = None if location.is_folder else self._head_or_none()
        if blob and blob["size"]:
            return self._single(blob)
        if below := self._below():  # an empty blob of that name only marked the folder
            return Found(tuple(below), is_folder=True)
        if blob:
            return self._single(blob)
        raise ModelNotFound(f"there is no blob and no folder at {location.uri}")

    def read(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """The bytes of `file` from `offset` (less than its size) on, in pieces of some 100 KiB.

        Raises ModelChanged when it is no longer the version that `file` names, and FetchError.
        """
        with self._translated():
            options: obstore.GetOptions = {"if_match": file.etag}
            if offset:
                options["range"] = {"offset": offset}
            yield from obstore.get(self._store, file.key, options=options).stream(PIECE_BYTES)

    def _head(self) -> ObjectMeta:
        try:
            with self._translated():
                return obstore.head(self._store, self._location.path)
        except ModelAccessDenied:
            return self._head_in_words()

    def _head_in_words(self) -> ObjectMeta:
        """The same from GET: an answer to HEAD has no body, which is where storage says why it refuses."""
        with self._translated():
            return obstore.get(self._store, self._location.path).meta

    def _head_or_none(self) -> ObjectMeta | None:
        try:
            return self._head()
        except ModelNotFound:
            return None

    def _single(self, blob: ObjectMeta) -> Found:
        file = RemoteFile(self._location.path, self._location.name, blob["size"], _etag(blob))
        return Found((file,), is_folder=False)

    def _below(self) -> list[RemoteFile]:
        prefix = self._location.path
        with self._translated():
            blobs = [blob for page in obstore.list(self._store, prefix or None) for blob in page]
        start = len(prefix) + 1 if prefix else 0
        found = [RemoteFile(blob["path"], blob["path"][start:], blob["size"], _etag(blob)) for blob in blobs]
        return sorted(without_markers(found), key=lambda file: file.path)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (exceptions.BaseError, OSError, ValueError) as error:
            raise translated(error, self._location, self._credentials) from None


def translated(error: Exception, location: Location, credentials: Credentials) -> FetchError:
    """What obstore's `error` means, in a sentence of our own."""
    text, uri = str(error), location.uri
    if isinstance(error, exceptions.InvalidPathError):
        return ModelNotFound(f"{uri} holds a path that no file can have")
    if found := STATUS.search(text):
        return _answered(int(found[1]), text, location, credentials)
    return StorageUnreachable(f"the storage of {uri} cannot be reached: {cause(error)}")


def cause(error: Exception) -> str:
    """Why storage did not do what obstore asked of it, in a few words without a secret."""
    text = str(error)
    if found := STATUS.search(text):
        return f"it answered {found[1]}{_code(text)}"
    return next((words for sign, words in CAUSES.items() if sign in text), "the connection failed")


def _answered(status: int, text: str, location: Location, credentials: Credentials) -> FetchError:
    uri = location.uri
    if "token request" in text:
        return _without_token(credentials, status, text)
    match status:
        case 401 | 403:
            return _refused(location, credentials, status, text)
        case 404 | 410:
            return ModelNotFound(f"there is nothing at {uri}{_code(text)}")
        case 412:
            return ModelChanged(f"the content of {uri} was overwritten or deleted while it was being fetched")
        case _:
            return StorageError(f"storage answered {status} for {uri}{_code(text)}")


def _without_token(credentials: Credentials, status: int, text: str) -> FetchError:
    if status == 429 or status >= 500:
        return StorageError(f"Microsoft Entra ID cannot give a token now (it answered {status})")
    found = ENTRA_CODE.search(text)
    code = f", {found[0]}" if found else ""
    sentence = f"Microsoft Entra ID does not accept {credentials.kind} (it answered {status}{code})"
    if found and found[0] == ASSERTION_EXPIRED:
        return CredentialsExpired(f"{sentence}: its token has expired, or the clock of this node is wrong")
    return CredentialsInvalid(sentence)


def _refused(location: Location, credentials: Credentials, status: int, text: str) -> FetchError:
    refused = f"storage refuses to read {location.uri}"
    if EXPIRED in text:
        return CredentialsExpired(f"{refused}: the SAS token has expired, or the clock of this node is wrong")
    if OLD in text:
        return CredentialsExpired(f"{refused}: it finds the request too old, so the clock of this node is wrong")
    if MALFORMED in text:
        return CredentialsInvalid(f"{refused}: the SAS token is malformed, perhaps cut short or escaped twice")
    return ModelAccessDenied(_denied(location, credentials, status, text))


def _denied(location: Location, credentials: Credentials, status: int, text: str) -> str:
    if not location.is_azure:
        return f"the server of {location.uri} does not give it to everybody ({status}), and is no Azure storage"
    sentence = f"storage refuses to read {location.uri} with {credentials.kind} ({status}{_code(text)})"
    if credentials.is_token:
        return sentence + "; the identity needs the role Storage Blob Data Reader on the container"
    return sentence + "; a private blob needs a SAS token with read and list, or the role Storage Blob Data Reader"


def _code(text: str) -> str:
    """Azure's own word for the error, which is in the body of its answer."""
    found = CODE.search(text)
    return f", {found[1]}" if found else ""


def open_store(
    location: Location, credentials: Credentials, client: ClientConfig = CLIENT, retries: RetryConfig = NO_RETRIES
) -> AzureStore | HTTPStore:
    """The storage at `location`; nothing is sent yet. Raises CredentialsInvalid when they cannot be used there."""
    if location.is_azure and credentials.is_token and not location.is_encrypted:
        raise CredentialsInvalid(f"{credentials.kind} is used over https:// only")
    if not location.is_azure:
        return HTTPStore(location.endpoint, client_options=client, retry_config=retries)
    options: AzureConfig = {
        **credentials.options,
        "account_name": location.account,
        "endpoint": location.endpoint,
    }
    try:
        return AzureStore(location.container, config=options, client_options=client, retry_config=retries)
    except (exceptions.BaseError, ValueError):
        raise CredentialsInvalid(f"{credentials.kind} was given, but it is malformed") from None


def _etag(blob: ObjectMeta) -> str | None:
    """Azure quotes an ETag in headers, but not in lists."""
    etag = blob["e_tag"]
    return etag if etag is None or etag.endswith('"') else f'"{etag}"'


def without_markers(files: list[RemoteFile]) -> list[RemoteFile]:
    """Without the empty blobs that some tools leave where a folder is (hdi_isfolder). Raises ModelInvalid for a
    name that would lead out of the model's folder.
    """
    folders = {file.path[:end] for file in files for end in _slashes(file.path)}
    kept = [file for file in files if file.size or (file.path not in folders and not file.path.endswith("/"))]
    for file in kept:
        if not all(part and part not in (".", "..") for part in file.path.split("/")) or "\\" in file.path:
            raise ModelInvalid(f"the name of the blob {file.key!r} cannot be used as the path of a file")
    return kept


def _slashes(path: str) -> list[int]:
    return [place for place, character in enumerate(path) if character == "/"]
