"""Reading everything that a plan depends on: from the caches, and from the API server what they do not hold."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import datetime

from modelfleet.core.api import ModelDeployment
from modelfleet.core.children import needed_secrets
from modelfleet.core.decision import Counts, Facts
from modelfleet.core.facts import facts_of, needs_samples, pods_by_track, samples_missing
from modelfleet.core.manifest import Manifest
from modelfleet.core.observed import Observed
from modelfleet.core.window import wants_counts
from modelfleet.kube.client import CONFIG_MAPS, HTTP_ROUTES, SECRETS, KubeClient
from modelfleet.reconcile.measure import measure
from modelfleet.reconcile.world import World


async def gather(client: KubeClient, owner: ModelDeployment, seen: Observed) -> Observed:
    """Return what the caches have shown, completed by what they do not hold.

    That is the user's Secrets, and the golden samples that are needed in other clusters.
    """
    wanted = {needed.name for needed in needed_secrets(owner.spec)}
    found = {name: await client.get(SECRETS, owner.namespace, name) for name in sorted(wanted)}
    samples = await _samples(client, owner) if owner.spec.regions else None
    return dataclasses.replace(seen, credentials=found, samples=samples)


async def facts(client: KubeClient, owner: ModelDeployment, observed: Observed, now: datetime) -> Facts:
    """Return what a decision depends on; the pods' counters are asked for where it would look at them."""
    known = facts_of(owner, observed)
    if needs_samples(known, owner) and not (observed.samples if owner.hub else await _samples(client, owner)):
        known = dataclasses.replace(known, obstacle=samples_missing(owner))
    policy, canary = owner.spec.rollout, known.canary
    if not wants_counts(known.rollout, policy, now) or (canary and not canary.settled):
        return known
    bound = policy.criteria.max_latency_p99_s if policy and policy.criteria else None
    stable, canaries = pods_by_track(owner, observed)
    told = await asyncio.gather(measure(client, stable, bound), measure(client, canaries, bound))
    return dataclasses.replace(known, counts=Counts(*told))


async def _samples(client: KubeClient, owner: ModelDeployment) -> Manifest | None:
    name = owner.spec.rollout.samples if owner.spec.rollout else ""
    return await client.get(CONFIG_MAPS, owner.namespace, name) if name else None


def look(world: World, owner: ModelDeployment, before: Observed) -> Observed:
    """Return ``before`` with what the caches know now."""
    key = (owner.namespace, owner.name)
    return dataclasses.replace(
        before,
        children=world.children_of(key),
        pods=tuple(world.pods.indexed(key)),
        autoscaled=bool(world.autoscalers.indexed(key)),
        has_gateway_api=not world.children[HTTP_ROUTES.kind].is_absent,
    )
