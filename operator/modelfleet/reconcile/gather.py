"""Reading everything that a plan depends on: from the caches, and from the API server what they do not hold."""

from __future__ import annotations

import dataclasses

from modelfleet.core.api import ModelDeployment
from modelfleet.core.children import needed_secrets
from modelfleet.core.observed import Observed
from modelfleet.kube.client import SECRETS, KubeClient
from modelfleet.reconcile.world import World


async def gather(client: KubeClient, owner: ModelDeployment, seen: Observed) -> Observed:
    """Return what the caches have shown, completed by what they do not hold: the user's Secrets."""
    wanted = {needed.name for needed in needed_secrets(owner.spec)}
    found = {name: await client.get(SECRETS, owner.namespace, name) for name in sorted(wanted)}
    return dataclasses.replace(seen, credentials=found)


def look(world: World, owner: ModelDeployment, before: Observed) -> Observed:
    """Return ``before`` with what the caches know now."""
    key = (owner.namespace, owner.name)
    return dataclasses.replace(
        before,
        children=world.children_of(key),
        pods=tuple(world.pods.indexed(key)),
        autoscaled=bool(world.autoscalers.indexed(key)),
    )
