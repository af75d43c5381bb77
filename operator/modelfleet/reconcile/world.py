"""What the operator knows of one cluster: a cache of every object that belongs to a ModelDeployment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from modelfleet.core import names
from modelfleet.core.manifest import Manifest, dig
from modelfleet.core.observed import ChildKey
from modelfleet.kube.client import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    HTTP_ROUTES,
    MODEL_DEPLOYMENTS,
    NETWORK_POLICIES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    KubeClient,
    Resource,
)
from modelfleet.kube.reflector import Cache, Reflector, name_of, without_managed_fields
from modelfleet.kube.wire import Object

Key = tuple[str, str]
"""The namespace and name of a ModelDeployment."""

CHILD_RESOURCES = {
    resource.kind: resource
    for resource in (
        SERVICE_ACCOUNTS,
        SECRETS,
        CONFIG_MAPS,
        NETWORK_POLICIES,
        DEPLOYMENTS,
        SERVICES,
        POD_DISRUPTION_BUDGETS,
        HTTP_ROUTES,
    )
}


class World:
    """Caches of the ModelDeployments, their children, pods and autoscalers; ``changed`` hears whose world moved.

    The ModelDeployments are told from outside (kopf watches them) and listed again by ``relist``; everything
    else is watched by ``run``.
    """

    def __init__(
        self, client: KubeClient, changed: Callable[[Key], None], *, selector: str = names.MANAGED_SELECTOR
    ) -> None:
        self.client = client
        self._selector = selector
        self._changed = changed
        self.owners = Cache(index=_phase, trim=without_managed_fields, on_change=self._owner_changed)
        self.children = {
            kind: self._reflector(resource, owner_of, _trim_deployment if kind == "Deployment" else None)
            for kind, resource in CHILD_RESOURCES.items()
        }
        self.pods = self._reflector(PODS, owner_of, _trim_pod)
        self.autoscalers = self._reflector(HORIZONTAL_POD_AUTOSCALERS, _scaled_deployment, selector="")

    @property
    def reflectors(self) -> tuple[Reflector, ...]:
        """Return every watch on the cluster."""
        return (*self.children.values(), self.pods, self.autoscalers)

    async def run(self) -> None:
        """Keep the caches up to date until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self.reflectors:
                group.create_task(reflector.run())

    async def synced(self) -> None:
        """Return once every cache has seen its first listing."""
        for reflector in self.reflectors:
            await reflector.synced.wait()

    async def relist(self) -> None:
        """List the ModelDeployments: a watch that lost its history does not tell of deletions in the gap."""
        listing = await self.client.list(MODEL_DEPLOYMENTS)
        for body in listing.items:
            self.owners.saw(body)
        self.owners.saw_all(map(name_of, listing.items), int(listing.resource_version))

    def served(self) -> set[Key]:
        """Return for which ModelDeployments something is there, whether they exist or not."""
        return cast("set[Key]", {key for cache in self.children.values() for key in cache.counts()})

    def children_of(self, key: Key) -> dict[ChildKey, Object]:
        """Return the objects that carry the owner's label."""
        found = ((kind, body) for kind, cache in self.children.items() for body in cache.indexed(key))
        return {(kind, body["metadata"]["name"]): body for kind, body in found}

    def _reflector(
        self,
        resource: Resource,
        index: Callable[[Object], Key | None],
        trim: Callable[[Object], Object] | None = None,
        selector: str | None = None,
    ) -> Reflector:
        def on_change(body: Object, _deleted: bool) -> None:
            if key := index(body):
                self._changed(key)

        return Reflector(
            self.client,
            resource,
            label_selector=self._selector if selector is None else selector,
            index=index,
            trim=trim or without_managed_fields,
            on_change=on_change,
            may_be_absent=resource is HTTP_ROUTES,
        )

    def _owner_changed(self, body: Object, _deleted: bool) -> None:
        self._changed(name_of(body))


def owner_of(body: Manifest) -> Key | None:
    """Return the ModelDeployment that an object was made for, or None when it was not made by the operator."""
    labels = dig(body, "metadata", "labels") or {}
    if labels.get(names.MANAGED_BY) != "modelfleet" or names.OWNER not in labels:
        return None
    return body["metadata"]["namespace"], labels[names.OWNER]


def _phase(owner: Manifest) -> str:
    """Return the phase that the status tells, which metrics count by."""
    return dig(owner, "status", "phase") or "New"


def _scaled_deployment(autoscaler: Manifest) -> Key | None:
    """Return the Deployment whose replicas an autoscaler owns; it has its owner's name."""
    target = autoscaler["spec"]["scaleTargetRef"]
    if target["kind"] != "Deployment":
        return None
    return autoscaler["metadata"]["namespace"], target["name"]


def _trim_pod(pod: Object) -> Object:
    """Keep what diagnosis reads: a pod's spec is most of it, and a fleet has many pods."""
    kept = ("name", "namespace", "uid", "resourceVersion", "labels", "deletionTimestamp")
    metadata = {key: pod["metadata"][key] for key in kept if key in pod["metadata"]}
    status = pod.get("status", {})
    fields = ("phase", "conditions", "initContainerStatuses", "containerStatuses")
    return {"metadata": metadata, "status": {key: status[key] for key in fields if key in status}}


def _trim_deployment(deployment: Object) -> Object:
    """Keep of the managed fields only whether the operator owns the replicas."""
    fields = [
        {"manager": entry["manager"], "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        for entry in deployment["metadata"].get("managedFields", [])
        if entry.get("manager") == names.FIELD_MANAGER
        and dig(entry, "fieldsV1", "f:spec", "f:replicas") is not None
    ]
    return deployment | {"metadata": deployment["metadata"] | {"managedFields": fields}}
