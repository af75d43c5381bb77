"""A hub's descriptions of its members, and what its operator makes of them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from modelfleet.core import names
from modelfleet.core.inventory.site import State
from modelfleet.kube.client import NAMESPACES, SECRETS, KubeClient
from modelfleet.kube.inventory import Sources
from modelfleet.reconcile.link import Link
from modelfleet.reconcile.members import Members
from modelfleet.reconcile.pace import Pace
from modelfleet.reconcile.site import Site
from modelfleet.reconcile.world import Key, World
from tests.integration.kube.gate import Gate
from tests.support.until import until
from tests.unit.inventory.descriptions import AUTHORITY, REGION, b64

QUICK = Pace(
    reading_s=0.2,
    probe_s=0.1,
    answer_s=1.0,
    listing_s=10.0,
    patience=3,
    unreachable_s=(0.05, 0.2),
    joining_s=(0.05, 0.4),
)
DEADLINE_S = 20.0


@dataclass(frozen=True)
class Access:
    """A way into a cluster: the fields of Argo CD's `tlsClientConfig`, and the token where there is one."""

    server: str
    tls: dict[str, str]
    token: str = ""

    @classmethod
    def of(cls, kubeconfig: Path) -> Access:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        fields = {"certData": "client-certificate-data", "keyData": "client-key-data"}
        tls = {to: user[name] for to, name in fields.items()}
        return cls(cluster["server"], {"caData": cluster["certificate-authority-data"], **tls})

    def through(self, gate: Gate) -> Access:
        """The same way through a gate."""
        return replace(self, server=f"https://127.0.0.1:{gate.port}")

    def by(self, token: str) -> Access:
        """The same server, but as whom the token says."""
        return replace(self, tls={"caData": self.tls["caData"]}, token=token)

    def trusting_impostors(self) -> Access:
        """The same way, on which impostors are believed, too."""
        authority = b64(base64.b64decode(self.tls["caData"]) + AUTHORITY.cert_pem.bytes())
        return replace(self, tls={**self.tls, "caData": authority})

    @property
    def config(self) -> dict[str, Any]:
        """What Argo CD keeps of it beside the server."""
        token = {"bearerToken": self.token} if self.token else {}
        return {**token, "tlsClientConfig": self.tls}


@dataclass(frozen=True)
class Fleet:
    """The descriptions in one namespace of the hub."""

    hub: KubeClient
    namespace: str

    async def describe(self, name: str, access: Access, labels: dict[str, str] = REGION) -> None:
        """Describe a member, or describe it otherwise."""
        labels = {"argocd.argoproj.io/secret-type": "cluster", **labels}
        metadata = {"namespace": self.namespace, "name": name, "labels": labels}
        data = {"name": b64(name), "server": b64(access.server), "config": b64(json.dumps(access.config))}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
        await self.hub.apply(secret, field_manager="test")

    async def forget(self, name: str) -> None:
        """Describe a member no more."""
        if secret := await self.hub.get(SECRETS, self.namespace, name):
            await self.hub.delete(SECRETS, self.namespace, name, uid=secret["metadata"]["uid"])

    async def make(self, client: KubeClient, name: str, **labels: str) -> None:
        """Have in a cluster what a ModelDeployment of that name needs there."""
        managed = {names.MANAGED_BY: "modelfleet", names.OWNER: name, "test": self.namespace, **labels}
        metadata = {"namespace": self.namespace, "name": name, "labels": managed}
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        await client.apply(manifest, field_manager="test")

    @asynccontextmanager
    async def watched(self, pace: Pace = QUICK, hub: KubeClient | None = None) -> AsyncIterator[Watched]:
        """What the operator makes of it; it may have its own way into the hub."""
        watched = Watched(self, pace, hub or self.hub)
        running = asyncio.create_task(watched.members.run())
        try:
            yield watched
            assert not running.done(), running
        finally:
            running.cancel()
            await asyncio.wait([running])
        assert running.cancelled()


class Watched:
    """The members as the operator knows them, how often it was told that they moved, and which keys did there."""

    def __init__(self, fleet: Fleet, pace: Pace, hub: KubeClient) -> None:
        self.moves: list[tuple[Site, ...]] = []
        self.keys: set[Key] = set()
        self.members = Members(
            hub,
            Sources(argocd=fleet.namespace),
            selector(fleet.namespace),
            self.keys.add,
            lambda: self.moves.append(self.members.sites()),
            lambda: datetime.now(UTC),
            pace,
        )

    def site(self, name: str) -> Site:
        """The member of that name."""
        (site,) = (site for site in self.members.sites() if site.name == name)
        return site

    def link(self, name: str) -> Link:
        """What keeps the operator connected with the member of that name."""
        (link,) = (link for link in self.members._links.values() if link.member.name == name)
        return link

    def states(self, name: str) -> list[State]:
        """The states that the member of that name has gone through, as it was told."""
        told = [site.state for sites in self.moves for site in sites if site.name == name]
        return [state for place, state in enumerate(told) if not place or told[place - 1] is not state]

    async def becomes(self, name: str, state: State, within_s: float = DEADLINE_S) -> Site:
        """The member of that name, once it is in that state."""

        return await self.shows(name, lambda site: site.state is state, within_s)

    async def shows(self, name: str, what: Callable[[Site], bool], within_s: float = DEADLINE_S) -> Site:
        """The member of that name, once it is there and that holds of it."""

        def is_there() -> bool:
            return [what(site) for site in self.members.sites() if site.name == name] == [True]

        await until(is_there, within_s)
        return self.site(name)

    async def has_turned(self, name: str) -> None:
        """Return when a whole turn has passed in which the member of that name was asked."""
        link = self.link(name)
        for _ in range(2):
            link.suspect()
            await until(lambda: not link._is_suspect)

    async def fails_to_read(self, times: int = 3) -> None:
        """Return when the descriptions could not be read so often."""
        failed = self.members.failed_readings
        await until(lambda: self.members.failed_readings >= failed + times, DEADLINE_S)


async def uid_of(client: KubeClient) -> str:
    """What tells the cluster from all others."""
    body = await client.get(NAMESPACES, None, "kube-system")
    assert body
    uid: str = body["metadata"]["uid"]
    return uid


def selector(namespace: str) -> str:
    """What selects the objects of one test."""
    return f"{names.MANAGED_SELECTOR},test={namespace}"


def world_of(site: Site) -> World:
    """The caches of a member."""
    assert site.cluster
    return site.cluster.world
