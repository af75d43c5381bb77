"""One way into a member cluster that is open: a client, and the caches that are filled by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from modelfleet.core.errors import Unavailable, Unreachable
from modelfleet.core.inventory.member import Hub, Member
from modelfleet.kube.client import KubeClient
from modelfleet.kube.member import connect, identity
from modelfleet.reconcile.pace import Pace
from modelfleet.reconcile.site import Cluster
from modelfleet.reconcile.world import Key, World


class Session:
    """Begins with nothing sent; may raise Unsupported. Close it when done.

    There is a `cluster` as soon as it is followed. The hub, where it is a member too, is spoken to by the hub's
    own client, which is not closed.
    """

    def __init__(self, member: Member, hub: KubeClient, changed: Callable[[Key], None], pace: Pace) -> None:
        self._is_hub = isinstance(member.auth, Hub)
        self.cluster: Cluster | None = None
        self._member = member
        self._client = hub if self._is_hub else connect(member)
        self._changed = changed
        self._pace = pace
        self._following: asyncio.Task[None] | None = None

    def is_by(self, member: Member) -> bool:
        """Whether a description leads there in the same way, whatever it calls the cluster."""
        return replace(member, name="", region="") == replace(self._member, name="", region="")

    async def identity(self) -> str:
        """Ask which cluster it is; the errors are those of the client."""
        answer_s = self._pace.answer_s
        async with _within(answer_s, Unreachable(f"There was no answer within {answer_s:g} s.")):
            return await identity(self._client)

    async def follow(self, selector: str) -> None:
        """Fill the caches, and keep them filled; returns after the first listing of all, or raises Unavailable."""
        world = World(self._client, self._changed, selector=selector)
        self.cluster = Cluster(self._client, world)
        self._following = asyncio.create_task(world.run())
        late = Unavailable(
            f"Not everything could be listed within {self._pace.listing_s:g} s. Which rights are missing, if any: "
            f"modelfleet cluster check {self._member.name}"
        )
        async with _within(self._pace.listing_s, late):
            await world.synced()

    async def close(self) -> None:
        """Follow nothing any more, and drop all connections."""
        try:
            if self._following:
                self._following.cancel()
                await asyncio.wait([self._following])
        finally:
            if not self._is_hub:
                await self._client.close()


@asynccontextmanager
async def _within(seconds: float, late: Exception) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise late from None
