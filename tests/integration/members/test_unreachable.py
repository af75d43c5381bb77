"""A member that does not answer is unreachable, and neither gone nor any other member's trouble."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import web

from modelfleet.core.inventory.site import State
from tests.integration.kube.gate import Gate
from tests.integration.members.fleet import QUICK, Access, Fleet, world_of
from tests.integration.members.impostor import impostor
from tests.support.until import until
from tests.unit.kube.faulty import Answer, hangs, says, streams

RARELY = replace(QUICK, probe_s=3600.0)


async def test_one_that_refuses_connections_is_unreachable_and_comes_back(
    fleet: Fleet, access: Access, gate: Gate
) -> None:
    await fleet.describe("west", access.through(gate))
    async with fleet.watched() as watched:
        before = await watched.becomes("west", State.REACHABLE)
        shut_at = datetime.now(UTC)
        await gate.shut()
        site = await watched.becomes("west", State.UNREACHABLE)
        assert (site.uid, site.cluster, site.reason) == (before.uid, before.cluster, "Unreachable")
        assert "Connect call failed" in site.message
        assert site.since >= shut_at
        await gate.open()
        after = await watched.becomes("west", State.REACHABLE)
        assert after.cluster not in {before.cluster, None}
        assert after.message == ""
        assert after.since > site.since


async def test_a_few_failures_are_forgiven(fleet: Fleet, access: Access, gate: Gate) -> None:
    await fleet.describe("west", access.through(gate))
    async with fleet.watched(replace(QUICK, patience=1000)) as watched:
        await watched.becomes("west", State.REACHABLE)
        link = watched.link("west")
        await gate.shut()
        await until(lambda: link._standing.failures > 3)
        await gate.open()
        await until(lambda: link._standing.failures == 0)
        assert watched.states("west") == [State.UNREACHABLE, State.REACHABLE]


async def test_one_that_hangs_costs_only_itself(
    fleet: Fleet, access: Access, gate: Gate, other: Access, other_gate: Gate
) -> None:
    await fleet.describe("west", access.through(gate))
    await fleet.describe("north", other.through(other_gate))
    async with fleet.watched() as watched:
        await watched.becomes("west", State.REACHABLE)
        await watched.becomes("north", State.REACHABLE)
        gate.moving.clear()
        site = await watched.becomes("west", State.UNREACHABLE)
        assert site.message == "There was no answer within 1 s."
        other_gate.moving.clear()
        await watched.becomes("north", State.UNREACHABLE)
        other_gate.moving.set()
        await watched.becomes("north", State.REACHABLE)
        assert watched.site("west").state is State.UNREACHABLE
        gate.moving.set()
        await watched.becomes("west", State.REACHABLE)


async def test_one_that_hangs_from_the_beginning_keeps_no_other_waiting(
    fleet: Fleet, access: Access, gate: Gate, other: Access
) -> None:
    gate.moving.clear()
    await fleet.describe("a-hanging", access.through(gate))
    await fleet.describe("north", other)
    async with fleet.watched(replace(QUICK, answer_s=3600.0)) as watched:
        await watched.becomes("north", State.REACHABLE)
        site = watched.site("a-hanging")
        assert (site.state, site.uid, site.cluster) == (State.UNREACHABLE, "", None)


async def test_one_under_suspicion_is_probed_at_once_and_given_up_at_the_first_failure(
    fleet: Fleet, access: Access, gate: Gate
) -> None:
    await fleet.describe("west", access.through(gate))
    async with fleet.watched(RARELY) as watched:
        site = await watched.becomes("west", State.REACHABLE)
        await gate.shut()
        watched.members.suspect("of somebody else")
        watched.members.suspect(site.uid)
        await watched.becomes("west", State.UNREACHABLE)


async def test_suspicion_of_one_that_is_well_changes_nothing(fleet: Fleet, access: Access) -> None:
    await fleet.describe("west", access)
    async with fleet.watched(RARELY) as watched:
        site = await watched.becomes("west", State.REACHABLE)
        moves, link = len(watched.moves), watched.link("west")
        watched.members.suspect(site.uid)
        await until(lambda: not link._is_suspect and not link._nudged.is_set())
        assert watched.site("west") == site
        assert len(watched.moves) == moves


async def trickle(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("answer", "reason", "message"),
    [
        (says(429, {}, **{"Retry-After": "1"}), "Throttled", "HTTP 429"),
        (says(500, {"message": "two\nlines of " + "x" * 5000}), "Unavailable", "two lines of xxx"),
        (says(503, "<html>"), "Unavailable", "HTTP 503"),
        (says(403, {"reason": "Forbidden", "message": "no"}), "Forbidden", "no"),
        (says(401, {}), "CredentialsInvalid", "HTTP 401"),
        (says(200, {}), "Unavailable", "no Kubernetes is there"),
        (says(200, ["no", "object"]), "Unavailable", "not a Kubernetes object"),
        (streams('{"metadata": ', then="break"), "Unreachable", ""),
        (hangs, "Unreachable", "no answer within 1 s"),
        (trickle, "Unreachable", "no answer within 1 s"),
    ],
)
async def test_whatever_it_answers_instead_it_is_unreachable_until_it_answers_again(
    fleet: Fleet, access: Access, gate: Gate, answer: Answer, reason: str, message: str
) -> None:
    await fleet.describe("west", access.through(gate).trusting_impostors())
    async with fleet.watched() as watched:
        before = await watched.becomes("west", State.REACHABLE)
        async with impostor(gate, answer):
            # While one server goes and the other comes nobody answers, which is not what is meant.
            site = await watched.shows("west", lambda site: site.reason == reason and message in site.message)
            assert site.state is State.UNREACHABLE
            assert len(site.message) <= 1024
        after = await watched.becomes("west", State.REACHABLE)
        assert after.uid == before.uid
        assert after.cluster


async def test_one_that_never_ends_its_lists_is_never_taken_for_joined(
    fleet: Fleet, access: Access, gate: Gate
) -> None:
    async def names_itself(request: web.BaseRequest) -> web.StreamResponse:
        is_asked_who = request.path.endswith("/kube-system")
        return await (says(200, {"metadata": {"uid": "uid-west"}}) if is_asked_who else trickle)(request)

    async with impostor(gate, names_itself):
        await fleet.describe("west", access.through(gate).trusting_impostors())
        async with fleet.watched(replace(QUICK, listing_s=0.5)) as watched:
            site = await watched.shows("west", lambda site: "could be listed within 0.5 s" in site.message)
            assert (site.uid, site.reason, site.cluster) == ("uid-west", "Unavailable", None)


async def test_what_happened_meanwhile_is_known_when_it_is_back(fleet: Fleet, access: Access, gate: Gate) -> None:
    await fleet.describe("west", access.through(gate))
    async with fleet.watched() as watched:
        await watched.becomes("west", State.REACHABLE)
        await gate.shut()
        await watched.becomes("west", State.UNREACHABLE)
        await fleet.make(fleet.hub, "meanwhile")
        await gate.open()
        world = world_of(await watched.becomes("west", State.REACHABLE))
        assert world.children["ConfigMap"].get(fleet.namespace, "meanwhile") is not None
        assert (fleet.namespace, "meanwhile") in watched.keys
