"""Clients of Azure Machine Learning, one for each workspace and credential.

The SDKs take a second to import and 60 MB to keep, so nothing of them is imported before the first question: an
operator whose models all have addresses does without.
"""

from __future__ import annotations

import os
import re
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from modelfleet.aml.errors import translated
from modelfleet.aml.refusals import Asked, Kind
from modelfleet.core.api import Workspace
from modelfleet.core.errors import Terminal, Unauthenticated
from modelfleet.core.registered import Principal

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.identity import ClientSecretCredential, WorkloadIdentityCredential
    from azure.storage.blob import ContainerClient

    Credential: TypeAlias = ClientSecretCredential | WorkloadIdentityCredential

KEPT = 64

# Nothing may hold a thread for minutes. An answer that asks to come back later is passed on (retry_status 0): the
# SDK would sleep for as long as the answer says.
LIMITS: Mapping[str, Any] = {"retry_total": 2, "retry_status": 0, "connection_timeout": 5, "read_timeout": 10}
# Storage has a retry policy of its own, which would begin with a pause of 15 seconds.
STORAGE_LIMITS: Mapping[str, Any] = {"initial_backoff": 1, "increment_base": 2, "random_jitter_range": 1}

IDENTITY = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE")
"""What the webhook of AKS gives to pods that have a workload identity."""

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_Key: TypeAlias = tuple[str, Principal | None]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Client:
    """What asks a workspace or registry as ``identity``; ``credential`` gives the same access to storage.

    All of it sends through one ``transport``, which is closed together with the credential.
    """

    workspace: Workspace
    identity: str
    credential: Credential = field(repr=False)
    transport: Any = field(repr=False)
    ml: MLClient = field(repr=False)

    def asking(self, what: str, kind: Kind, workspace: Workspace | None = None) -> AbstractContextManager[None]:
        """Return a context whose errors say that this was asked for, in another workspace if one is given."""
        return translated(Asked(what, kind, workspace or self.workspace, self.identity))

    def of(self, workspace: Workspace) -> MLClient:
        """Return what asks another workspace, with the same credential."""
        same = workspace.id == self.workspace.id
        return self.ml if same else _ml_client(workspace, self.credential, self.transport)


class Clients:
    """The clients that were used last; safe to use from many threads."""

    def __init__(self) -> None:
        self._clients: OrderedDict[_Key, Future[Client]] = OrderedDict()
        self._lock = Lock()

    def of(self, workspace: Workspace, principal: Principal | None) -> Client:
        """Return the client of a workspace for a service principal, or for the operator's own workload identity.

        Whoever comes while it is being made waits for it, and shares its failure; the next one tries again. What
        is dropped closes its credential when nobody uses it any more.
        """
        key = workspace.id, principal
        with self._lock:
            is_first = key not in self._clients
            client = self._clients.setdefault(key, Future())
            self._clients.move_to_end(key)
            if len(self._clients) > KEPT:
                self._clients.popitem(last=False)
        if is_first:
            self._make(key, client, workspace)
        return client.result()

    def _make(self, key: _Key, client: Future[Client], workspace: Workspace) -> None:
        try:
            client.set_result(_client(workspace, key[1]))
        except BaseException as error:
            with self._lock:
                if self._clients.get(key) is client:
                    del self._clients[key]
            client.set_exception(error)


def container_of(address: str, credential: Credential | str) -> ContainerClient:
    """Return what lists a container; ``credential`` may be a SAS token."""
    from azure.storage.blob import ContainerClient  # noqa: PLC0415  # see above

    options = {**LIMITS, **STORAGE_LIMITS, "transport": _transport()}
    return ContainerClient.from_container_url(address, credential, **options)


def _client(workspace: Workspace, principal: Principal | None) -> Client:
    credential, identity, transport = _credential(principal)
    try:
        with translated(Asked("the address", Kind.REGISTRY, workspace, identity)):
            ml = _ml_client(workspace, credential, transport)
        client = Client(workspace, identity, credential, transport, ml)
    except BaseException:
        credential.close()
        raise
    weakref.finalize(client, credential.close)
    return client


def _ml_client(workspace: Workspace, credential: Credential, transport: Any) -> MLClient:
    """Return the SDK's client; that of a registry asks where the registry is.

    Which cloud it is for, AZUREML_CURRENT_CLOUD says for the whole process, and never `cloud=`: the SDK would
    write that into the variable, for all others to read.
    """
    from azure.ai.ml import MLClient  # noqa: PLC0415  # see above

    options = {**LIMITS, "transport": transport, "enable_telemetry": False}
    if workspace.registry:
        return MLClient(credential, registry_name=workspace.registry, **options)
    return MLClient(credential, workspace.subscription_id, workspace.resource_group, workspace.name, **options)


def _credential(principal: Principal | None) -> tuple[Credential, str, Any]:
    """Return what gets tokens, its name for messages, and the transport that it sends through."""
    identity = _identity_of(principal) if principal else _own_identity()
    from azure.identity import ClientSecretCredential, WorkloadIdentityCredential  # noqa: PLC0415  # see above

    transport = _transport()
    options = {**LIMITS, "transport": transport}
    if not principal:
        return WorkloadIdentityCredential(**options), identity, transport
    names = principal.tenant_id, principal.client_id, principal.client_secret
    try:
        return ClientSecretCredential(*names, **options), identity, transport
    except ValueError:
        raise Unauthenticated(
            "The Secret of the workspace holds no service principal: tenantId has to be the id of a tenant, and "
            "neither clientId nor clientSecret may be empty.",
            reason="CredentialsInvalid",
        ) from None


def _identity_of(principal: Principal) -> str:
    # Who mixes up the fields of a Secret shall not read the secret in a status.
    is_id = _ID.fullmatch(principal.client_id)
    return f"the service principal {principal.client_id}" if is_id else "the service principal of the Secret"


def _own_identity() -> str:
    if not all(os.environ.get(name) for name in IDENTITY):
        raise Terminal(
            "CredentialsMissing",
            "workspace.credentials is left out, but the operator has no workload identity: name a Secret in "
            "workspace.credentials.secretName, or give the operator one (docs/install.md).",
        )
    return f"the operator's workload identity {os.environ['AZURE_CLIENT_ID']}"


def _transport() -> Any:
    """Return what sends requests, and notes on errors for which host they were, as nobody else would know."""
    from azure.core.exceptions import AzureError  # noqa: PLC0415  # see above
    from azure.core.pipeline.transport import RequestsTransport  # noqa: PLC0415

    class Transport(RequestsTransport):  # type: ignore[misc]  # azure-core imports it lazily itself
        def send(self, request: Any, **kwargs: Any) -> Any:
            try:
                return super().send(request, **kwargs)
            except AzureError as error:
                error.add_note(urlsplit(request.url).hostname or "")
                raise

    return Transport(**LIMITS)
