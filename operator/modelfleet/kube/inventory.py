"""The descriptions of member clusters, read from the cluster that has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from modelfleet.core.inventory import argocd, cluster_api, cluster_profile
from modelfleet.core.inventory.member import Member, Refusal
from modelfleet.kube.client import SECRETS, KubeClient, Resource

CLUSTER_PROFILES = Resource("multicluster.x-k8s.io/v1alpha1", "ClusterProfile", "clusterprofiles")

Found: TypeAlias = list[Member | Refusal]

_READ_AS_SUCH = {"tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"}
# What PyYAML raises besides its own errors, where a tag says one thing and the value another.
_SURPRISES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
# A kubeconfig has six levels. Each costs libyaml's binding a frame of the C stack; a full one ends the process.
DEPTH = 50
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Sources:
    """The namespaces of the hub in which descriptions are; an empty one is not looked into.

    `providers` maps access providers of ClusterProfiles to ways to sign in.
    """

    argocd: str = ""
    cluster_api: str = ""
    cluster_profiles: str = ""
    providers: Mapping[str, str] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether there is a namespace to look into."""
        return bool(self.argocd or self.cluster_api or self.cluster_profiles)


async def read(client: KubeClient, sources: Sources) -> Found:
    """All clusters that the sources describe; the errors are those of the client."""
    return [
        *await _of_argocd(client, sources.argocd),
        *await _of_cluster_api(client, sources.cluster_api),
        *await _of_cluster_profiles(client, sources.cluster_profiles, sources.providers),
    ]


async def _of_argocd(client: KubeClient, namespace: str) -> Found:
    secrets = await _listed(client, SECRETS, namespace, argocd.SELECTOR)
    return [argocd.read(secret) for secret in secrets]


async def _of_cluster_api(client: KubeClient, namespace: str) -> Found:
    secrets = await _listed(client, SECRETS, namespace, cluster_api.SELECTOR)
    return [cluster_api.read(secret, parse) for secret in secrets if cluster_api.is_kubeconfig(secret)]


async def _of_cluster_profiles(client: KubeClient, namespace: str, providers: Mapping[str, str]) -> Found:
    profiles = await _listed(client, CLUSTER_PROFILES, namespace)
    return [cluster_profile.read(profile, providers) for profile in profiles]


async def _listed(
    client: KubeClient, resource: Resource, namespace: str, label_selector: str = ""
) -> list[dict[str, Any]]:
    if not namespace:
        return []
    return (await client.list(resource, namespace=namespace, label_selector=label_selector)).items


class _Loader(_Base):  # type: ignore[misc]  # which it is, the installation decides
    """Reads null and truth as such and all else as text, and merges nothing: merges of merges grow without end."""

    yaml_implicit_resolvers = {  # noqa: RUF012  as PyYAML declares it
        first: [(tag, pattern) for tag, pattern in resolvers if tag in _READ_AS_SUCH]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def flatten_mapping(self, node: object) -> None:
        """Do nothing."""


def parse(text: bytes) -> Any:
    """What a YAML document holds; a ValueError, without any of it, where it is none."""
    try:
        _refuse_depth(text)
        return yaml.load(text, _Loader)  # noqa: S506  a safe loader
    except (yaml.YAMLError, *_SURPRISES):
        pass
    raise ValueError("The text is no YAML document.")


def _refuse_depth(text: bytes) -> None:
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            raise ValueError
