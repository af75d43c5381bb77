"""A member is the cluster that answers, whatever it is called and however often it is described."""

from __future__ import annotations

from modelfleet.core.inventory.site import State
from modelfleet.kube.client import KubeClient
from tests.integration.kube.gate import Gate
from tests.integration.members.fleet import Access, Fleet, uid_of, world_of
from tests.integration.members.impostor import empty_cluster, impostor
from tests.support.until import until


async def test_a_description_that_leads_to_another_cluster_now_is_another_member(
    fleet: Fleet, access: Access, other: Access, hub: KubeClient, there: KubeClient
) -> None:
    await fleet.make(hub, "ours")
    await fleet.describe("west", access)
    async with fleet.watched() as watched:
        before = await watched.becomes("west", State.REACHABLE)
        assert before.uid == await uid_of(hub)
        await fleet.describe("west", other)
        await watched.shows("west", lambda site: site.uid != before.uid)
        after = await watched.becomes("west", State.REACHABLE)
        assert after.uid == await uid_of(there)
        assert len(world_of(after).children["ConfigMap"]) == 0
        assert len(watched.members.sites()) == 1


async def test_a_cluster_that_is_rebuilt_under_the_same_address_is_another_member(
    fleet: Fleet, access: Access, gate: Gate, hub: KubeClient
) -> None:
    await fleet.make(hub, "ours")
    await fleet.describe("west", access.through(gate).trusting_impostors())
    async with fleet.watched() as watched:
        before = await watched.becomes("west", State.REACHABLE)
        assert world_of(before).children["ConfigMap"].get(fleet.namespace, "ours")
        async with impostor(gate, empty_cluster):
            await watched.shows("west", lambda site: site.uid == "uid-empty")
            after = await watched.becomes("west", State.REACHABLE)
            assert len(world_of(after).children["ConfigMap"]) == 0
        seen = [site for sites in watched.moves for site in sites]
        assert not [site for site in seen if site.uid == "uid-empty" and site.cluster is before.cluster]


async def test_a_cluster_that_is_described_twice_is_there_once(fleet: Fleet, access: Access, gate: Gate) -> None:
    await fleet.describe("first", access.through(gate), {})
    await fleet.describe("second", access)
    async with fleet.watched() as watched:
        site = await watched.becomes("first", State.REACHABLE)
        await until(lambda: len(watched.members.sites()) == 1)
        assert watched.members.sites()[0].region == "westeurope"
        await fleet.forget("first")
        after = await watched.becomes("second", State.REACHABLE)
        assert after.uid == site.uid
        assert len(watched.members.sites()) == 1
