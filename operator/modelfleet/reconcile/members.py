"""The connections of the hub's operator to its member clusters: which there are, and how each of them is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime

from modelfleet.core.errors import ModelfleetError, Unavailable
from modelfleet.core.inventory.member import Member, Origin, Refusal
from modelfleet.core.inventory.membership import difference
from modelfleet.kube.client import KubeClient
from modelfleet.kube.inventory import Sources, read
from modelfleet.reconcile.link import Link
from modelfleet.reconcile.pace import PACE, Pace, jittered
from modelfleet.reconcile.session import Session
from modelfleet.reconcile.site import Site, each_once, unused
from modelfleet.reconcile.world import Key, World

logger = logging.getLogger(__name__)

Described = dict[Origin, Member | Refusal]

EMPTY = "none is described any more, which is not believed: what hides all of them looks the same."


class Members:
    """``changed`` hears whose world moved in a member, ``moved`` that a member came, went, or is otherwise now.

    The selector finds what this hub has made in its members.
    """

    def __init__(
        self,
        hub: KubeClient,
        sources: Sources,
        selector: str,
        changed: Callable[[Key], None],
        moved: Callable[[], None],
        now: Callable[[], datetime],
        pace: Pace = PACE,
    ) -> None:
        self.failed_readings = 0
        self._hub = hub
        self._sources = sources
        self._selector = selector
        self._changed = changed
        self._moved = moved
        self._now = now
        self._pace = pace
        self._described: Described = {}
        self._links: dict[Origin, Link] = {}
        self._first: tuple[Link, ...] | None = None
        self._settled_at = 0.0
        # Those that are not used: refused, or detached.
        self._others: dict[Origin, Site] = {}
        self._told: list[object] = []
        self._trouble = ""
        self._reading = asyncio.Lock()
        self._group = asyncio.TaskGroup()

    @property
    def is_configured(self) -> bool:
        """Return whether there is a place to look for members."""
        return self._sources.any

    @property
    def is_known(self) -> bool:
        """Return whether the descriptions were read, and their clusters tried or waited for long enough."""
        if self._first is None:
            return False
        return time.monotonic() >= self._settled_at or all(link.has_tried for link in self._first)

    async def run(self) -> None:
        """Find the members and keep connected with them until cancelled; without sources there are none."""
        async with self._group:
            while self.is_configured:
                await self._read()
                await asyncio.sleep(jittered(self._pace.reading_s))

    def sites(self) -> tuple[Site, ...]:
        """Return all clusters that are known: first those that are used, in the order of their descriptions."""
        used = [self._links[origin].site for origin in self._described if origin in self._links]
        return each_once([*used, *self._others.values()])

    def world(self, uid: str) -> World | None:
        """Return the caches of a cluster, and the way into it; None while it has none."""
        found = (site.cluster for site in self.sites() if site.uid == uid)
        return next((cluster.world for cluster in found if cluster), None)

    def served(self) -> set[Key]:
        """Return for which ModelDeployments something is in any member, whether they exist or not."""
        return {key for site in self.sites() if site.cluster for key in site.cluster.world.served()}

    def suspect(self, uid: str) -> None:
        """Have a cluster probed now where something else failed; if that fails too, it is unreachable at once."""
        for link in self._links.values():
            if link.uid == uid:
                link.suspect()

    async def _read(self) -> None:
        """Read the descriptions; a reading that fails says nothing of the clusters."""
        async with self._reading:
            try:
                found = await read(self._hub, self._sources)
                if self._described and not found:
                    raise Unavailable(EMPTY)
            except ModelfleetError as error:
                self._failed(str(error))
            else:
                self._trouble = ""
                self._take({one.origin: one for one in found})

    def _failed(self, trouble: str) -> None:
        self.failed_readings += 1
        if trouble != self._trouble:
            logger.warning("The descriptions of member clusters cannot be read: %s", trouble)
        self._trouble = trouble

    def _take(self, described: Described) -> None:
        last = {**self._others, **{origin: link.site for origin, link in self._links.items()}}
        news = difference({origin: link.member for origin, link in self._links.items()}, described)
        for origin in news.lost:
            self._links.pop(origin).stop()
        for member in news.changed:
            self._links[member.origin].describe(member)
        for member in news.joined:
            self._join(member, last[member.origin].uid if member.origin in last else "")
        if self._first is None:
            self._first = tuple(self._links.values())
            self._settled_at = time.monotonic() + self._pace.settling_s
        self._described = described
        self._others = self._unused(last)
        self._tell()

    def _join(self, member: Member, uid: str) -> None:
        link = Link(member, uid, self._enter, self._selector, self._pace, self._now, self._read, self._tell)
        self._links[member.origin] = link
        link.start(self._group)

    def _enter(self, member: Member) -> Session:
        return Session(member, self._hub, self._changed, self._pace)

    def _unused(self, last: dict[Origin, Site]) -> dict[Origin, Site]:
        origins = [origin for origin in {**last, **self._described} if origin not in self._links]
        found = ((origin, self._described.get(origin)) for origin in origins)
        told = (
            (origin, unused(last.get(origin), one if isinstance(one, Refusal) else None, self._now()))
            for origin, one in found
        )
        return {origin: site for origin, site in told if site}

    def _tell(self) -> None:
        """Say that something moved, if anything did that others can act on."""
        told: list[object] = [
            (site.origin, site.uid, site.region, site.state, site.cluster is not None) for site in self.sites()
        ]
        if told != self._told:
            self._told = told
            self._moved()
