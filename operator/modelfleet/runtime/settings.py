"""Settings of the operator's process, read once from its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelfleet.core.api import WorkloadIdentity
from modelfleet.core.inventory.cluster_profile import SIGN_INS
from modelfleet.kube.inventory import Sources


class SettingsError(ValueError):
    """A setting is missing or senseless; the message says what to write."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How this process runs. ``kubeconfig`` and ``context`` are for running outside a cluster.

    ``poll_s`` is how often Azure is asked for the newest version of a model, and ``identity`` who this process is
    in Microsoft Entra, where it is somebody. ``sources`` are where member clusters are described, and ``settle_s``
    is how long one is left as it is when it answers again.
    """

    server_image: str
    namespace: str
    pod_name: str
    kubeconfig: Path | None
    context: str | None
    port: int
    workers: int
    log_level: str
    poll_s: int
    identity: WorkloadIdentity | None
    sources: Sources
    settle_s: int


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings; raises SettingsError naming the variable that is wrong."""
    kubeconfig = environment.get("KUBECONFIG")
    return Settings(
        server_image=_required(environment, "MODELFLEET_SERVER_IMAGE"),
        namespace=_required(environment, "MODELFLEET_NAMESPACE"),
        pod_name=_required(environment, "MODELFLEET_POD_NAME"),
        kubeconfig=Path(kubeconfig) if kubeconfig else None,
        context=environment.get("MODELFLEET_CONTEXT"),
        port=_whole_number(environment, "MODELFLEET_PORT", 8080),
        workers=_whole_number(environment, "MODELFLEET_WORKERS", 8),
        log_level=environment.get("MODELFLEET_LOG_LEVEL", "INFO"),
        poll_s=_whole_number(environment, "MODELFLEET_POLL_SECONDS", 300),
        identity=_identity(environment),
        sources=_sources(environment),
        settle_s=_whole_number(environment, "MODELFLEET_SETTLE_SECONDS", 60),
    )


def _identity(environment: Mapping[str, str]) -> WorkloadIdentity | None:
    """Return what the webhook of Azure Workload Identity has put into the pod."""
    client, tenant = environment.get("AZURE_CLIENT_ID"), environment.get("AZURE_TENANT_ID")
    return WorkloadIdentity(client, tenant) if client and tenant else None


def _sources(environment: Mapping[str, str]) -> Sources:
    return Sources(
        argocd=environment.get("MODELFLEET_ARGOCD_NAMESPACE", ""),
        cluster_api=environment.get("MODELFLEET_CLUSTER_API_NAMESPACE", ""),
        cluster_profiles=environment.get("MODELFLEET_CLUSTER_PROFILES_NAMESPACE", ""),
        providers=dict(map(_provider, environment.get("MODELFLEET_ACCESS_PROVIDERS", "").split())),
    )


def _provider(text: str) -> tuple[str, str]:
    """Return an access provider of ClusterProfiles and the way to sign in, of a word NAME=SIGN-IN."""
    name, _, way = text.partition("=")
    if not name or way not in SIGN_INS:
        known = ", ".join(SIGN_INS)
        raise SettingsError(
            f"MODELFLEET_ACCESS_PROVIDERS has to be words NAME=SIGN-IN, not {text!r}; known: {known}."
        )
    return name, way


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise SettingsError(f"{name} is not set; manifests/base sets it in the operator's Deployment.")
    return value


def _whole_number(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name)
    if value is None:
        return default
    if not value.isdecimal():
        raise SettingsError(f"{name} has to be a whole number, not {value!r}.")
    return int(value)
