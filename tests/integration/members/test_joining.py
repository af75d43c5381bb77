"""A member that is described is joined: what is in it is known, and what moves there is heard."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from aiohttp import web

from modelfleet.core.inventory.member import Origin, Source
from modelfleet.core.inventory.site import State
from modelfleet.kube.client import PODS, KubeClient
from modelfleet.kube.inventory import Sources
from modelfleet.reconcile.members import Members
from modelfleet.reconcile.world import CHILD_RESOURCES
from tests.integration.kube.gate import Gate
from tests.integration.members.fleet import QUICK, Access, Fleet, selector, uid_of, world_of
from tests.integration.members.impostor import empty_cluster, impostor
from tests.support.until import until


async def test_a_described_cluster_is_reachable_and_known_by_its_identity(
    fleet: Fleet, access: Access, hub: KubeClient
) -> None:
    await fleet.describe("west", access)
    async with fleet.watched() as watched:
        site = await watched.becomes("west", State.REACHABLE)
        assert (site.uid, site.region) == (await uid_of(hub), "westeurope")
        assert site.origin == Origin(Source.ARGOCD, fleet.namespace, "west")
        assert (site.reason, site.message) == ("", "")
        assert watched.states("west") == [State.UNREACHABLE, State.REACHABLE]


async def test_only_what_this_hub_has_made_is_seen_there_and_heard(
    fleet: Fleet, other: Access, there: KubeClient
) -> None:
    here = fleet.namespace
    await fleet.make(there, "ours", test=here)
    await fleet.make(there, "theirs", test="another-hub")
    await fleet.describe("north", other)
    async with fleet.watched() as watched:
        world = world_of(await watched.becomes("north", State.REACHABLE))
        assert world.children["ConfigMap"].get(here, "ours")
        assert len(world.children["ConfigMap"]) == 1
        await fleet.make(there, "later", test=here)
        await until(lambda: (here, "later") in watched.keys)
        assert watched.keys == {(here, "ours"), (here, "later")}


async def test_members_that_come_later_are_joined(fleet: Fleet, access: Access, other: Access) -> None:
    await fleet.describe("west", access)
    async with fleet.watched() as watched:
        await watched.becomes("west", State.REACHABLE)
        await fleet.describe("north", other)
        await watched.becomes("north", State.REACHABLE)
        assert [site.name for site in watched.members.sites()] == ["north", "west"]


async def test_a_region_that_is_named_later_is_told_and_costs_no_connection(fleet: Fleet, access: Access) -> None:
    await fleet.describe("west", access, {})
    async with fleet.watched() as watched:
        before = await watched.becomes("west", State.REACHABLE)
        await fleet.describe("west", access)
        await until(lambda: watched.site("west").region == "westeurope")
        assert watched.moves[-1][0].region == "westeurope"
        await watched.has_turned("west")
        assert watched.site("west").cluster is before.cluster


async def test_nothing_is_asked_of_a_member_but_who_it_is_and_what_was_made_there(
    fleet: Fleet, access: Access, gate: Gate
) -> None:
    asked: set[tuple[str, str]] = set()

    async def listens(request: web.BaseRequest) -> web.StreamResponse:
        asked.add((request.path.rpartition("/")[2], request.query.get("labelSelector", "")))
        return await empty_cluster(request)

    async with impostor(gate, listens):
        await fleet.describe("west", access.through(gate).trusting_impostors())
        async with fleet.watched() as watched:
            await watched.becomes("west", State.REACHABLE)
    selected = {resource.plural for resource in (*CHILD_RESOURCES.values(), PODS)}
    assert asked == {
        *((plural, selector(fleet.namespace)) for plural in selected),
        ("horizontalpodautoscalers", ""),
        ("kube-system", ""),
    }


async def test_the_hub_may_be_a_member_too_and_is_asked_by_the_client_that_there_is(
    fleet: Fleet, hub: KubeClient
) -> None:
    await fleet.make(hub, "ours")
    await fleet.describe("here", Access("https://kubernetes.default.svc", {}))
    async with fleet.watched() as watched:
        site = await watched.becomes("here", State.REACHABLE)
        assert site.uid == await uid_of(hub)
        assert site.cluster
        assert site.cluster.client is hub
        assert world_of(site).children["ConfigMap"].get(fleet.namespace, "ours")
        await fleet.describe("here", Access("https://kubernetes.default.svc", {}), {})
        await watched.shows("here", lambda site: site.region == "")
    assert await uid_of(hub) == site.uid


async def test_caches_are_found_by_the_identity_of_their_cluster(fleet: Fleet, access: Access) -> None:
    await fleet.describe("west", access)
    async with fleet.watched() as watched:
        site = await watched.becomes("west", State.REACHABLE)
        assert watched.members.world(site.uid) is world_of(site)
        assert watched.members.world("another") is None


async def test_the_members_are_known_when_each_of_them_was_tried(
    fleet: Fleet, access: Access, gate: Gate, other: Access
) -> None:
    gate.moving.clear()
    await fleet.describe("west", access.through(gate))
    await fleet.describe("north", other)
    async with fleet.watched(replace(QUICK, settling_s=3600.0)) as watched:
        await watched.becomes("north", State.REACHABLE)
        assert not watched.members.is_known
        gate.moving.set()
        await until(lambda: watched.members.is_known)
        assert watched.site("west").state is State.REACHABLE


async def test_one_that_hangs_is_not_waited_for_longer_than_is_set(
    fleet: Fleet, access: Access, gate: Gate
) -> None:
    gate.moving.clear()
    await fleet.describe("west", access.through(gate))
    async with fleet.watched(replace(QUICK, answer_s=3600.0, settling_s=0.2)) as watched:
        assert not watched.members.is_known
        await until(lambda: watched.members.is_known)
        assert not watched.link("west").has_tried


async def test_without_sources_there_are_no_members_and_nothing_is_asked() -> None:
    async with KubeClient("http://127.0.0.1:1") as nobody:
        members = Members(nobody, Sources(), "", print, print, lambda: datetime.now(UTC))
        await members.run()
    assert (members.is_configured, members.sites(), members.failed_readings) == (False, (), 0)


async def test_all_connections_are_closed_at_the_end(fleet: Fleet, access: Access, gate: Gate) -> None:
    await fleet.describe("west", access.through(gate))
    async with fleet.watched() as watched:
        await watched.becomes("west", State.REACHABLE)
        assert gate._connections
    await until(lambda: not gate._connections)
