"""Taking a ModelDeployment out of clusters: those that it names no more, and all of them when it is deleted.

What a cluster shows decides, and not what is remembered: whatever was made there for a ModelDeployment that does
not want it is removed once the cluster can be reached. Only the hub itself can tell that there is none any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from modelfleet.core import names
from modelfleet.core.api import ModelDeployment, parse
from modelfleet.core.errors import ModelfleetError
from modelfleet.core.inventory.site import Site, State
from modelfleet.core.manifest import Manifest, dig
from modelfleet.core.regions import Place, left_of, removing_entry
from modelfleet.kube.client import MODEL_DEPLOYMENTS
from modelfleet.reconcile.execute import remove
from modelfleet.reconcile.members import Members
from modelfleet.reconcile.report import Reporter
from modelfleet.reconcile.world import Key, World

logger = logging.getLogger(__name__)

RECHECK_S = 15.0


class Leaving:
    """Removes what is in member clusters and is not wanted there."""

    def __init__(self, world: World, members: Members, reporter: Reporter, now: Callable[[], datetime]) -> None:
        self._world = world
        self._members = members
        self._reporter = reporter
        self._now = now

    async def mark(self, owner: ModelDeployment) -> ModelDeployment:
        """Return the owner with the finalizer that keeps it until its regions are cleared."""
        return owner if is_marked(owner) else await self._finalizers(owner, [names.FINALIZER])

    async def leave_all(self, owner: ModelDeployment) -> float | None:
        """Take a deleted owner out of all clusters, and then let go of it; return when to look again."""
        if not is_marked(owner):
            return None
        key, now = (owner.namespace, owner.name), self._now()
        refusing = await self._clear(key, self._reachable())
        lost = [] if owner.spec.deletion_policy == "Orphan" else [*self._lost(owner), *refusing]
        ends = (owner.deleted_at or now) + owner.spec.deletion_timeout
        if lost and now < ends:
            return min(RECHECK_S, (ends - now).total_seconds())
        await self._tell_of(owner, lost)
        await self._finalizers(owner, [])
        return None

    async def leave_others(
        self, owner: ModelDeployment, places: Sequence[Place], is_served: bool
    ) -> tuple[list[Manifest], float | None]:
        """Leave the clusters that are named no more, once those that are do serve.

        Returns what is to be told of those that are still being left, and when to look again.
        """
        named = {place.site.uid for place in places if place.site}
        # Of one without a region nobody knows whether it is wanted.
        others = [site for site in self._reachable() if site.region and site.uid not in named]
        if is_served:
            key = (owner.namespace, owner.name)
            await self._clear(key, others)
            await remove(self._world, owner.namespace, list(self._world.children_of(key)))
        entries = list(self._going(owner, places, is_served))
        late = [entry for entry in entries if _is_late(entry, owner.spec.deletion_timeout, self._now())]
        await self._tell_of(owner, [entry["name"] for entry in late])
        return [entry for entry in entries if entry not in late], RECHECK_S if entries else None

    async def come_home(self, owner: ModelDeployment) -> None:
        """Take an owner that names no regions any more, and is served here, out of all of them."""
        await self._clear((owner.namespace, owner.name), self._reachable())
        if is_marked(owner):
            await self._finalizers(owner, [])

    async def sweep(self, key: Key) -> None:
        """Remove what clusters have of a ModelDeployment that is gone."""
        holding = [site for site in self._reachable() if self._unwanted(site, key)]
        # No cache is asked: one that has missed something would have everything removed.
        if holding and await self._world.client.get(MODEL_DEPLOYMENTS, *key) is None:
            await self._clear(key, holding)

    def _reachable(self) -> list[Site]:
        return [site for site in self._members.sites() if site.state is State.REACHABLE]

    def _unwanted(self, site: Site, key: Key) -> list[tuple[str, str]]:
        world = self._members.world(site.uid)
        found = world.children_of(key) if world else {}
        return [child for child, body in found.items() if not dig(body, "metadata", "annotations", names.ORPHAN)]

    async def _clear(self, key: Key, sites: Sequence[Site]) -> list[str]:
        """Remove what is in these clusters of a ModelDeployment; return the names of those that do not let us."""
        cleared = await asyncio.gather(*(self._is_cleared(key, site) for site in sites))
        return [site.name for site, is_cleared in zip(sites, cleared, strict=True) if not is_cleared]

    async def _is_cleared(self, key: Key, site: Site) -> bool:
        world, unwanted = self._members.world(site.uid), self._unwanted(site, key)
        try:
            if world and unwanted:
                await remove(world, key[0], unwanted)
        except ModelfleetError as error:
            logger.warning("%s: what is in %s cannot be removed: %s", key, site.name, error)
            self._members.suspect(site.uid)
            return False
        return True

    def _lost(self, owner: ModelDeployment) -> Iterator[str]:
        """Yield the names of the places that cannot be cleared now."""
        reachable = {site.uid for site in self._reachable()}
        for entry in owner.status.get("regions", []):
            if "clusterUID" in entry and entry["clusterUID"] not in reachable:
                yield entry["name"]

    def _going(self, owner: ModelDeployment, places: Sequence[Place], is_served: bool) -> Iterator[Manifest]:
        """Yield what is to be told of places that are named no more and not cleared yet."""
        for place in left_of(owner, places, self._members.sites()):
            if not (is_served and place.is_reachable):
                yield removing_entry(place, is_served, self._now())

    async def _tell_of(self, owner: ModelDeployment, lost: Sequence[str]) -> None:
        for name in lost:
            note = f"The cluster of {name} has not answered for spec.deletionTimeout: it is cleared when it does."
            await self._reporter.event(owner, "Warning", "RegionLeftBehind", note)

    async def _finalizers(self, owner: ModelDeployment, finalizers: list[str]) -> ModelDeployment:
        metadata = {"name": owner.name, "namespace": owner.namespace, "uid": owner.uid, "finalizers": finalizers}
        manifest = {
            "apiVersion": f"{names.GROUP}/{names.VERSION}",
            "kind": names.KIND,
            "metadata": metadata,
        }
        body = await self._world.client.apply(manifest, field_manager=names.FIELD_MANAGER)
        self._world.owners.put(body)
        return replace(parse(body), status=owner.status)


def is_marked(owner: ModelDeployment) -> bool:
    """Return whether the owner waits for its regions to be cleared before it goes."""
    return names.FINALIZER in (dig(owner.body, "metadata", "finalizers") or [])


def _is_late(entry: Manifest, timeout: timedelta, now: datetime) -> bool:
    return now >= datetime.fromisoformat(entry["removingSince"]) + timeout
