"""Carrying a plan out: each object by server-side apply, and only where it is not as wanted already."""

from __future__ import annotations

from modelfleet.core import names
from modelfleet.core.api import ModelDeployment
from modelfleet.core.children import child_key
from modelfleet.core.manifest import Manifest, dig
from modelfleet.core.matching import holds
from modelfleet.core.observed import Observed
from modelfleet.core.plan import Plan
from modelfleet.kube.client import KubeClient
from modelfleet.reconcile.world import CHILD_RESOURCES, World
from modelfleet.render.renderer import render


async def execute(
    world: World, client: KubeClient, owner: ModelDeployment, observed: Observed, todo: Plan
) -> None:
    """Make the owner's objects as planned. Stopping anywhere is safe: the next plan does the rest."""
    if todo.hand_over_replicas is not None:
        await _hand_over_replicas(client, owner, todo.hand_over_replicas)
    for view in todo.children:
        desired = render(view, owner)
        if not _as_wanted(observed.children.get(child_key(view)), desired):
            world.children[desired["kind"]].put(await client.apply(desired, field_manager=names.FIELD_MANAGER))
    for kind, name in todo.delete:
        live = world.children[kind].get(owner.namespace, name)
        if live:
            await client.delete(CHILD_RESOURCES[kind], owner.namespace, name, uid=live["metadata"]["uid"])
            world.children[kind].forget(live)


def _as_wanted(live: Manifest | None, desired: Manifest) -> bool:
    """Return whether the live object was made from this very manifest, and nobody has changed its fields since.

    The digest notices what a newer manifest no longer says; the comparison notices what others have changed.
    """
    digest = dig(desired, "metadata", "annotations", names.APPLIED)
    return (
        live is not None and dig(live, "metadata", "annotations", names.APPLIED) == digest and holds(live, desired)
    )


async def _hand_over_replicas(client: KubeClient, owner: ModelDeployment, replicas: int) -> None:
    """Keep the number of replicas alive under a field manager that never lets go of it."""
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": owner.name, "namespace": owner.namespace},
        "spec": {"replicas": replicas},
    }
    await client.apply(deployment, field_manager=names.HANDOVER_MANAGER)
