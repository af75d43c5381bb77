"""Questions to Azure Machine Learning and to the storage behind it. All only read.

Files are never fetched here, and never by the SDK's `models.download`: it takes siblings whose names begin alike,
and says nothing where there are no files at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from modelfleet.aml.clients import Client, container_of
from modelfleet.aml.refusals import Kind, sentence
from modelfleet.core.api import LATEST, Environment, Model
from modelfleet.core.errors import Invalid, Unsupported
from modelfleet.core.registered import (
    Blob,
    BlobPath,
    DatastorePath,
    Resolution,
    Signed,
    check_served,
    files_at,
    listing_of,
    md5_of,
    onnx_files,
    path_of,
    uri_of,
)

ENDPOINT = "core.windows.net"
"""That of datastores which name none."""
_ENDPOINTS = (ENDPOINT, "core.usgovcloudapi.net", "core.chinacloudapi.cn", "storage.azure.net")
_ACCOUNT = re.compile(rf"https://[a-z0-9-]+(\.z\d+)?\.blob\.({'|'.join(map(re.escape, _ENDPOINTS))})")
MD5_BYTES = 16
PAGE = 5000
"""How many blobs are listed with one request, the most that storage allows."""


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of a model and where they are; ``token`` signs the address where no credential opens it."""

    place: BlobPath
    is_folder: bool
    blobs: tuple[Blob, ...]
    token: str = field(default="", repr=False)


def latest_version(client: Client, name: str) -> str:
    """Return the version of a model that was created last."""
    with client.asking(f"any version of the model {name}", Kind.MODEL):
        return str(client.ml.models.get(name, label=LATEST).version)


def resolve(client: Client, model: Model, version: str) -> Resolution:
    """Return what is served for a version of a model. Raises Invalid or Unsupported for what cannot be."""
    registered = _registered(client, model.name, version)
    files = _files(client, model.name, version, registered.model_uri)
    names = [blob.name for blob in files.blobs]
    check_served(names, model.file)
    source, has_replicas = client.workspace.source_of(model.name, version), bool(client.workspace.registry)
    return Resolution(
        source=source,
        version=version,
        uri=source if has_replicas else uri_of(files.place, is_folder=files.is_folder),
        listing=listing_of(files.blobs, has_replicas=has_replicas),
        sizeBytes=sum(blob.size for blob in files.blobs),
        files=len(files.blobs),
        type=registered.model_type or "",
        stage=registered.stage or "",
        archived=bool(registered.is_archived),
        md5=md5_of(files.blobs) if has_replicas else (),
        onnxFiles=onnx_files(names),
    )


def sign(client: Client, name: str, version: str) -> Signed:
    """Return an address that opens the files of a registry's model for some hours."""
    files = _files(client, name, version, _registered(client, name, version).model_uri)
    return Signed(
        uri_of(files.place, is_folder=files.is_folder),
        files.token,
        _expiry(files.token),
        listing=listing_of(files.blobs, has_replicas=True),
        md5=md5_of(files.blobs),
    )


def image_of(client: Client, environment: Environment) -> str:
    """Return the image of an environment. Raises Unsupported for one that would have to be built."""
    name, _, version = environment.name.partition(":")
    with client.asking(f"the environment {environment.name}", Kind.ENVIRONMENT):
        found = client.ml.environments.get(name, version)
    if what := _to_be_built(found):
        raise Unsupported(
            "EnvironmentNeedsBuild",
            f"The environment {environment.name} has {what}, which Azure Machine Learning builds only for its own "
            "endpoints: build the image, and write it in environment.image.",
        )
    return str(found.image)


def _to_be_built(environment: Any) -> str:
    if environment.conda_file:
        return "a conda file"
    if environment.build:
        return "a Docker context"
    return "" if environment.image else "no image"


def _registered(client: Client, name: str, version: str) -> Any:
    """Return the properties of a version as Azure has them: the SDK's public entity has no is_archived."""
    with client.asking(_words(name, version), Kind.MODEL):
        found: Any = client.ml.models._get(name, version)  # noqa: SLF001
        if found.properties is None:
            raise ValueError("no properties")
        return found.properties


def _files(client: Client, name: str, version: str, uri: str | None) -> _Files:
    what = _words(name, version)
    if not uri:
        raise Invalid("ModelEmpty", f"{sentence(what)} is registered without files: register it again, with them.")
    where = path_of(uri, client.workspace)
    if client.workspace.registry:
        return _signed_files(client, name, version, where, uri)
    place = _blob_path(client, where) if isinstance(where, DatastorePath) else where
    _check_account(place.account, what)
    with client.asking(what, Kind.FILES):
        blobs = list(_blobs(place, client.credential))
    return _Files(place, *files_at(place.path, blobs))


def _signed_files(client: Client, name: str, version: str, where: BlobPath | DatastorePath, uri: str) -> _Files:
    what = _words(name, version)
    with client.asking(what, Kind.MODEL):
        address, _, token = _signed_address(client, name, version, uri).partition("?")
    if not token:
        raise Unsupported(
            "RegistryUnsupported",
            f"{sentence(client.workspace.label)} gives no signed address for {what}, so nobody can fetch it from "
            "there: register the model in a workspace, or write the address of its files in model.uri.",
        )
    parts = urlsplit(address)
    place = BlobPath(f"https://{parts.netloc}", parts.path.strip("/"), where.path)
    with client.asking(what, Kind.SIGNED_FILES):
        blobs = list(_blobs(place, token))
    return _Files(place, *files_at(place.path, blobs), token)


def _signed_address(client: Client, name: str, version: str, uri: str) -> str:
    """Return the address of the container with the token that signs it, or nothing if the registry gives none.

    The service names now one replica, now another; the token is good for the one whose address was sent.
    """
    from azure.ai.ml._utils._registry_utils import (  # noqa: PLC0415  # see clients.py
        get_storage_details_for_registry_assets,
    )

    models = client.ml.models
    group, service = models._resource_group_name, models._registry_service_client  # noqa: SLF001
    try:
        address, kind = get_storage_details_for_registry_assets(
            service, "models", name, version, group, client.workspace.registry, uri
        )
    except KeyError:
        return ""  # without credentials there is no address either
    return address if kind == "SAS" and address else ""


def _blob_path(client: Client, where: DatastorePath) -> BlobPath:
    """Return where a path of a datastore is, which may be one of another workspace."""
    with client.asking(f"the datastore {where.datastore}", Kind.DATASTORE, where.workspace):
        store: Any = client.of(where.workspace).datastores.get(where.datastore)
    container = getattr(store, "container_name", None) or getattr(store, "filesystem", None)
    if not container or store.protocol != "https":
        raise Unsupported(
            "DatastoreUnsupported",
            f"The datastore {where.datastore} of {where.workspace.label} is neither Azure Blob storage nor Data "
            "Lake Gen2 by https: register the model from such a datastore, or write the address of its files in "
            "model.uri.",
        )
    return BlobPath(f"https://{store.account_name}.blob.{store.endpoint or ENDPOINT}", container, where.path)


def _check_account(account: str, what: str) -> None:
    """Raise Unsupported unless the account is one of Azure.

    Whoever may register a model or a datastore could otherwise have a token sent to them that opens all storage of
    this identity.
    """
    if not _ACCOUNT.fullmatch(account):
        raise Unsupported(
            "ModelUnsupported",
            f"The files of {what} are said to be at {urlsplit(account).hostname}, which is no host of Azure Blob "
            "storage: register the model again, from a datastore in Azure.",
        )


def _blobs(place: BlobPath, credential: Any) -> Iterator[Blob]:
    with container_of(place.container_uri, credential) as container:
        for blob in container.list_blobs(name_starts_with=place.path, results_per_page=PAGE):
            yield Blob(blob.name, blob.size, blob.etag.strip('"'), _md5(blob))


def _md5(blob: Any) -> str:
    """Return the MD5 that a list has of a blob, which is whatever its writer said, or nothing."""
    said = blob.content_settings.content_md5 or b""
    return str(said.hex()) if len(said) == MD5_BYTES else ""


def _expiry(token: str) -> float:
    """Return when a SAS token ends; one that does not say it ends now, so that it is asked for again soon."""
    said = parse_qs(token).get("se", [""])[0]
    try:
        ends = datetime.fromisoformat(said)
    except ValueError:
        ends = datetime.now(UTC)
    return (ends if ends.tzinfo else ends.replace(tzinfo=UTC)).timestamp()


def _words(name: str, version: str) -> str:
    return f"version {version} of the model {name}"
