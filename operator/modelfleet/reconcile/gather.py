"""Reading everything that a plan depends on: from the caches, and from the API server what they do not hold."""

from __future__ import annotations

import dataclasses

from modelfleet.core.api import ModelDeployment
from modelfleet.core.observed import Observed
from modelfleet.kube.client import SECRETS, KubeClient
from modelfleet.reconcile.world import World


async def gather(client: KubeClient, owner: ModelDeployment, seen: Observed) -> Observed:
    """Return what the caches have shown, completed by what they do not hold: the user's Secret."""
    secret = owner.spec.model.secret_name
    if not secret:
        return seen
    return dataclasses.replace(seen, credentials=await client.get(SECRETS, owner.namespace, secret))


def look(world: World, owner: ModelDeployment, before: Observed) -> Observed:
    """Return ``before`` with what the caches know now."""
    key = (owner.namespace, owner.name)
    return dataclasses.replace(
        before,
        children=world.children_of(key),
        pods=tuple(world.pods.indexed(key)),
        autoscaled=bool(world.autoscalers.indexed(key)),
    )
