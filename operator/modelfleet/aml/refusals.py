"""Why Azure did not answer what it was asked, in sentences for the person on call.

They are made of what is known to be harmless: what was asked, the names of hosts, status codes and codes of Azure
that look like codes. The text of an SDK's exception may hold a token or a signed address and goes no further.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from modelfleet.core.api import Workspace
from modelfleet.core.errors import (
    Forbidden,
    NotFound,
    Terminal,
    Throttled,
    Unauthenticated,
    Unavailable,
    Unreachable,
)


class Kind(Enum):
    """What is asked for; files may be asked for by an address that a registry has signed."""

    REGISTRY = auto()
    MODEL = auto()
    DATASTORE = auto()
    ENVIRONMENT = auto()
    FILES = auto()
    SIGNED_FILES = auto()

    @property
    def is_storage(self) -> bool:
        """Return whether it is a storage account that answers, and not Azure Resource Manager."""
        return self in {Kind.FILES, Kind.SIGNED_FILES}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to Azure: for ``what`` (in words) of which workspace, and as whom."""

    what: str
    kind: Kind
    workspace: Workspace
    identity: str

    @property
    def subject(self) -> str:
        """Return what was asked for in words that go into any sentence."""
        return f"{self.what} of {self.workspace.label}"


def too_slow(asked: Asked, host: str) -> Unreachable:
    """Return the error for a host that took the question and gave no answer in time."""
    return Unreachable(
        f"No answer came in time from {host}, which was asked for {asked.subject}; the operator asks again. If "
        "this lasts, look for an outage of Azure, or for a proxy or firewall on the way.",
        reason="AzureTimeout",
    )


def unreachable(asked: Asked, host: str, why: str) -> Unreachable:
    """Return the error for a host to which there is no connection, or no more."""
    return Unreachable(
        f"There is no connection to {host}, which is asked for {asked.subject}: {why}. Check DNS, proxy and "
        "firewall, and that network policies let the operator out on port 443.",
        reason="AzureUnreachable",
    )


def throttled(asked: Asked, host: str, retry_after_s: float | None) -> Throttled:
    """Return the error for too many requests."""
    return Throttled(
        f"Azure asks for fewer requests to {host} (429); the operator asks again later for {asked.subject}. If "
        "this lasts, look what else uses that subscription or storage account.",
        retry_after_s=retry_after_s,
        reason="AzureThrottled",
    )


def unavailable(asked: Asked, host: str, label: str, retry_after_s: float | None) -> Unavailable:
    """Return the error for a failure of Azure itself."""
    return Unavailable(
        f"Azure cannot answer for {asked.subject} now ({host}: {label}); the operator asks again. If this lasts, "
        "look for an outage of Azure.",
        retry_after_s=retry_after_s,
        reason="AzureUnavailable",
    )


def without_token_file(asked: Asked, path: str, label: str) -> Unauthenticated:
    """Return the error for a workload identity that has nothing to show."""
    return Unauthenticated(
        f"{sentence(asked.identity)} cannot be proven: its token file {path} cannot be read ({label}). Check "
        "that the operator's pod has the volume of its workload identity (docs/install.md).",
        reason="TokenFileMissing",
    )


def unauthorized(asked: Asked, label: str) -> Unauthenticated:
    """Return the error for a token or a signed address that is not accepted."""
    if asked.kind is Kind.SIGNED_FILES:
        return Unauthenticated(
            f"The address that the registry has signed for {asked.subject} is not accepted ({label}): it has "
            "expired or been revoked, or the clocks differ. The operator gets a new one.",
            reason="CredentialsExpired",
        )
    return Unauthenticated(
        f"The token of {asked.identity} is not accepted for {asked.subject} ({label}): check that it is of the "
        "tenant which that subscription belongs to.",
        reason="AzureUnauthorized",
    )


def clock(asked: Asked, label: str) -> Unauthenticated:
    """Return the error for a request that storage finds too old, as it says."""
    return Unauthenticated(
        f"Storage finds the request for {asked.subject} too old ({label}): the clocks of this cluster and "
        "of Azure differ. Check the clocks of the nodes.",
        reason="ClockSkew",
    )


def denied(asked: Asked, place: str, label: str) -> Forbidden:
    """Return the error for missing rights, with the role that gives them; ``place`` is a container's address."""
    if asked.kind.is_storage:
        return Forbidden("StorageAccessDenied", _storage_denied(asked, place, label))
    home = asked.workspace
    role = "AzureML Registry User" if home.registry else "Reader"
    return Forbidden(
        "AzureAccessDenied",
        f"{sentence(asked.identity)} may not read {asked.subject} ({label}): give it the role {role} on "
        f"{home.label}. A new role takes some minutes.",
    )


def absent(asked: Asked) -> NotFound:
    """Return the error for what is not there."""
    if asked.kind is Kind.REGISTRY:
        return no_place(asked, "404")
    reason, advice = _ABSENT[asked.kind]
    holder = "The storage" if asked.kind.is_storage else sentence(asked.workspace.label)
    return NotFound(reason, f"{holder} does not have {asked.what}: {advice}")


def no_place(asked: Asked, label: str) -> NotFound:
    """Return the error for a workspace or a registry that is not there, or what should contain it."""
    home = asked.workspace
    where, advice = home.label, "check workspace.registry."
    if not home.registry:
        where += f" (resource group {home.resource_group}, subscription {home.subscription_id})"
        advice = "check workspace.name, workspace.resourceGroup and workspace.subscriptionId."
    if asked.kind is Kind.DATASTORE:  # whoever has told the name of the datastore is there
        advice = "register the model again, from a datastore that exists."
    return NotFound("WorkspaceNotFound", f"{sentence(where)} does not exist ({label}): {advice}")


def refused(asked: Asked, label: str) -> Terminal:
    """Return the error for an answer that is not foreseen."""
    return Terminal(
        "AzureRefused",
        f"Azure does not answer for {asked.subject} as it should ({label}). If Azure Machine Learning studio "
        "shows nothing unusual there, report this sentence.",
    )


def sentence(words: str) -> str:
    """Return the words as the beginning of a sentence."""
    return words[:1].upper() + words[1:]


def _storage_denied(asked: Asked, place: str, label: str) -> str:
    if asked.kind is Kind.SIGNED_FILES:
        return (
            f"The files of {asked.subject} at {place} may not be listed by the address that the registry has "
            f"signed ({label}): check that the network rules of its storage let this cluster in."
        )
    return (
        f"{sentence(asked.identity)} may not list the files of {asked.subject} at {place} ({label}): give it "
        "the role Storage Blob Data Reader there, and check that the network rules of the storage account let "
        "this cluster in. A new role takes some minutes."
    )


_ABSENT: Mapping[Kind, tuple[str, str]] = {
    Kind.MODEL: ("ModelNotFound", "check its name and version, or register it there."),
    Kind.DATASTORE: ("DatastoreNotFound", "register the model again, from a datastore that exists."),
    Kind.ENVIRONMENT: ("EnvironmentNotFound", "check environment.azureml, or register it there."),
    Kind.FILES: ("ModelEmpty", "register the model again, from where its files are."),
    Kind.SIGNED_FILES: ("ModelEmpty", "register the model again, from where its files are."),
}
