"""Carrying a plan out: each object by server-side apply, and only where it is not as wanted already."""

from __future__ import annotations

from collections.abc import Iterable

from modelfleet.core import names
from modelfleet.core.api import ModelDeployment
from modelfleet.core.children import child_key
from modelfleet.core.errors import Conflict, Terminal
from modelfleet.core.manifest import Manifest, dig
from modelfleet.core.matching import holds
from modelfleet.core.observed import ChildKey, Observed
from modelfleet.core.plan import Plan
from modelfleet.kube.client import KubeClient
from modelfleet.kube.wire import Object
from modelfleet.reconcile.world import CHILD_RESOURCES, World, owner_of
from modelfleet.render.renderer import render

NEVER = "1"
"""A resourceVersion that no object of a cluster with a history of its own can have."""


async def execute(world: World, owner: ModelDeployment, observed: Observed, todo: Plan) -> None:
    """Make the owner's objects as planned. Stopping anywhere is safe: the next plan does the rest."""
    client = world.client
    if todo.hand_over_replicas is not None:
        await _hand_over_replicas(client, owner, todo.hand_over_replicas)
    for view in todo.children:
        desired = render(view, owner)
        live = observed.children.get(child_key(view))
        if live is None:
            world.children[desired["kind"]].put(await _create(client, owner, desired))
        elif not _as_wanted(live, desired):
            world.children[desired["kind"]].put(await client.apply(desired, field_manager=names.FIELD_MANAGER))
    await remove(world, owner.namespace, todo.delete)


async def remove(world: World, namespace: str, children: Iterable[ChildKey]) -> None:
    """Delete these objects, as the caches know them."""
    for kind, name in children:
        live = world.children[kind].get(namespace, name)
        if live:
            await world.client.delete(CHILD_RESOURCES[kind], namespace, name, uid=live["metadata"]["uid"])
            world.children[kind].forget(live)


async def _create(client: KubeClient, owner: ModelDeployment, desired: Object) -> Object:
    """Apply an object that no cache knows, without ever taking over somebody else's of that name.

    An apply with a resourceVersion that no object can have succeeds only where there is none: one request
    in the ordinary case, where asking first would be two.
    """
    metadata = desired["metadata"]
    try:
        absent = {**desired, "metadata": {**metadata, "resourceVersion": NEVER}}
        return await client.apply(absent, field_manager=names.FIELD_MANAGER)
    except Conflict:
        live = await client.get(CHILD_RESOURCES[desired["kind"]], owner.namespace, metadata["name"])
    if live is not None and not _is_ours(live, owner):
        raise Terminal(
            "NameConflict",
            f"A {desired['kind']} {metadata['name']} that this ModelDeployment did not make exists in namespace "
            f"{owner.namespace}. Delete or rename it, or give the ModelDeployment another name.",
        )
    return await client.apply(desired, field_manager=names.FIELD_MANAGER)


def _is_ours(live: Manifest, owner: ModelDeployment) -> bool:
    """Return whether an object was made for the owner, and from the cluster that the owner is in."""
    hub = dig(live, "metadata", "labels", names.HUB) or ""
    owners = {reference["uid"] for reference in dig(live, "metadata", "ownerReferences") or ()}
    is_from_here = hub == owner.hub or owner.uid in owners  # a cluster may become a region of its own
    return is_from_here and owner_of(live) == (owner.namespace, owner.name)


def _as_wanted(live: Manifest, desired: Manifest) -> bool:
    """Return whether the live object was made from this very manifest, and nobody has changed its fields since.

    The digest notices what a newer manifest no longer says; the comparison notices what others have changed.
    """
    digest = dig(desired, "metadata", "annotations", names.APPLIED)
    return dig(live, "metadata", "annotations", names.APPLIED) == digest and holds(live, desired)


async def _hand_over_replicas(client: KubeClient, owner: ModelDeployment, replicas: int) -> None:
    """Keep the number of replicas alive under a field manager that never lets go of it."""
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": owner.name, "namespace": owner.namespace},
        "spec": {"replicas": replicas},
    }
    await client.apply(deployment, field_manager=names.HANDOVER_MANAGER)
