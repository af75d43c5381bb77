"""A cluster that may be used, in the one form that all sources become, or why it may not."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from modelfleet.core.manifest import Manifest, dig

REGION_LABEL = "topology.kubernetes.io/region"
AKS_SERVER_ID = "6dae42f8-4368-4678-94ff-3960e28e3630"
"""The application of Microsoft Entra that the API servers of all AKS clusters are."""


class Source(StrEnum):
    """Whose description of a cluster it is."""

    ARGOCD = "ArgoCD"
    CLUSTER_API = "ClusterAPI"
    CLUSTER_PROFILE = "ClusterProfile"


@dataclass(frozen=True, slots=True)
class Origin:
    """The object that describes a cluster."""

    source: Source
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.source} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A token that is sent with each request."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate (with those that it hangs on) and its key, as PEM."""

    certificate: str = field(repr=False)
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Entra:
    """The workload identity of this pod. What is empty is as the pod has it."""

    client_id: str = ""
    tenant_id: str = ""
    server_id: str = AKS_SERVER_ID
    authority: str = ""


@dataclass(frozen=True, slots=True)
class Hub:
    """The cluster that the description was read from: whoever read it is in already."""


Auth: TypeAlias = BearerToken | ClientCertificate | Entra | Hub


@dataclass(frozen=True, slots=True)
class Member:
    """A cluster, how to reach it, and as whom. `region` is empty where nobody tells.

    `ca` are the certificates to trust (DER, one behind the other); without any they are those of the system.
    """

    name: str
    origin: Origin
    region: str
    server: str
    auth: Auth
    ca: bytes = field(default=b"", repr=False)
    server_name: str = ""
    proxy: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A description that is not used: the reason is one stable word, the message says what to do instead."""

    name: str
    origin: Origin
    region: str
    reason: str
    message: str


class Unusable(Exception):
    """A part of a description that cannot be used; caught where the description is read.

    The message never quotes what was read: it may be a secret, or was meant to be one.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def origin_of(source: Source, manifest: Manifest) -> Origin:
    """Return where a description stands."""
    return Origin(source, _metadata(manifest, "namespace"), _metadata(manifest, "name"))


def labelled_region(manifest: Manifest) -> str:
    """Return the region that the object's label names, if it does."""
    return _metadata(manifest, "labels", REGION_LABEL)


def _metadata(manifest: Manifest, *path: str) -> str:
    found = dig(manifest, "metadata", *path)
    return found if isinstance(found, str) else ""
