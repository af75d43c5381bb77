"""Reading everything that a plan depends on: from the caches, and from the API server what they do not hold."""

from __future__ import annotations

import dataclasses

from modelfleet.core.api import ModelDeployment
from modelfleet.core.observed import Observed
from modelfleet.kube.client import SECRETS, KubeClient
from modelfleet.reconcile.world import World


async def gather(world: World, client: KubeClient, owner: ModelDeployment) -> Observed:
    """Return what the world looks like for the owner."""
    secret = owner.spec.model.secret_name
    credentials = await client.get(SECRETS, owner.namespace, secret) if secret else None
    return look(world, owner, Observed(credentials=credentials))


def look(world: World, owner: ModelDeployment, before: Observed) -> Observed:
    """Return ``before`` with what the caches know now."""
    key = (owner.namespace, owner.name)
    return dataclasses.replace(
        before,
        children=world.children_of(key),
        pods=tuple(world.pods.indexed(key)),
        autoscaled=bool(world.autoscalers.indexed(key)),
    )
