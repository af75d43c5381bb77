"""Reading everything that a plan depends on: from the caches, and from the API server where they cannot tell."""

from __future__ import annotations

import asyncio
import dataclasses

from modelfleet.core.api import ModelDeployment
from modelfleet.core.children import wanted_names
from modelfleet.core.observed import ChildKey, Observed
from modelfleet.kube.client import SECRETS, KubeClient
from modelfleet.kube.wire import Object
from modelfleet.reconcile.world import CHILD_RESOURCES, World, owner_of


async def gather(world: World, client: KubeClient, owner: ModelDeployment) -> Observed:
    """Return what the world looks like for the owner.

    A wanted child that no cache knows is asked for by name: the caches hold only objects with our label,
    and applying over somebody else's object would take it away from them.
    """
    observed = look(world, owner, Observed())
    unknown = wanted_names(owner) - observed.children.keys()
    found = dict(await asyncio.gather(*(_find(client, owner, key) for key in sorted(unknown))))
    ours = {key: body for key, body in found.items() if body and owner_of(body) == (owner.namespace, owner.name)}
    return dataclasses.replace(
        observed,
        children={**observed.children, **ours},
        foreign=frozenset(key for key, body in found.items() if body and key not in ours),
        credentials=await _credentials(client, owner),
    )


def look(world: World, owner: ModelDeployment, before: Observed) -> Observed:
    """Return ``before`` with what the caches know now."""
    key = (owner.namespace, owner.name)
    return dataclasses.replace(
        before,
        children=world.children_of(key),
        pods=tuple(world.pods.indexed(key)),
        autoscaled=bool(world.autoscalers.indexed(key)),
    )


async def _find(client: KubeClient, owner: ModelDeployment, key: ChildKey) -> tuple[ChildKey, Object | None]:
    kind, name = key
    return key, await client.get(CHILD_RESOURCES[kind], owner.namespace, name)


async def _credentials(client: KubeClient, owner: ModelDeployment) -> Object | None:
    secret = owner.spec.model.secret_name
    return await client.get(SECRETS, owner.namespace, secret) if secret else None
