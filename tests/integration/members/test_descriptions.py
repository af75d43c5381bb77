"""What the hub describes decides which members there are; what it cannot show decides nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from modelfleet.core.inventory.site import State
from modelfleet.kube import auth
from modelfleet.kube.client import KubeClient
from tests.integration.kube.conftest import through
from tests.integration.kube.gate import Gate
from tests.integration.members.fleet import Access, Fleet, Watched
from tests.support.kubectl import Kubectl
from tests.support.operator import kubeconfig_of
from tests.support.until import until


@pytest.fixture
async def gated_hub(control_plane: Path, gate: Gate, tmp_path: Path) -> AsyncIterator[KubeClient]:
    """The operator's way into the hub, which leads through the gate."""
    kubeconfig = through(gate, control_plane, tmp_path, server_name="127.0.0.1")
    async with await auth.connect(kubeconfig, None) as client:
        yield client


async def test_a_member_that_is_not_described_any_more_is_detached_until_it_is_again(
    fleet: Fleet, access: Access, gate: Gate, other: Access
) -> None:
    await fleet.describe("west", access.through(gate))
    await fleet.describe("north", other)
    async with fleet.watched() as watched:
        before = await watched.becomes("west", State.REACHABLE)
        await watched.becomes("north", State.REACHABLE)
        moves = len(watched.moves)
        await fleet.forget("west")
        site = await watched.becomes("west", State.DETACHED)
        assert (site.uid, site.region, site.cluster) == (before.uid, before.region, None)
        assert site.since > before.since
        await until(lambda: not gate._connections)
        await fleet.describe("west", access.through(gate))
        after = await watched.becomes("west", State.REACHABLE)
        assert after.uid == before.uid
        assert watched.states("north")[-1] is State.REACHABLE
        # It was never out of sight: whoever knows it by its UID finds it at any time.
        assert all(before.uid in {site.uid for site in sites} for sites in watched.moves[moves:])


async def test_of_one_that_was_never_known_nothing_is_left(fleet: Fleet, access: Access, other: Access) -> None:
    await fleet.describe("north", other)
    await fleet.describe("west", access.by("wrong"))
    async with fleet.watched() as watched:
        await watched.becomes("north", State.REACHABLE)
        await watched.becomes("west", State.UNREACHABLE)
        await fleet.forget("west")
        await until(lambda: [site.name for site in watched.members.sites()] == ["north"])


async def test_a_description_that_is_refused_is_told_and_may_be_mended(fleet: Fleet, access: Access) -> None:
    await fleet.describe("west", insecure(access))
    async with fleet.watched() as watched:
        site = await watched.becomes("west", State.REFUSED)
        assert (site.reason, site.uid, site.cluster) == ("InsecureRefused", "", None)
        assert "is not trusted" in site.message
        await fleet.describe("west", access)
        known = await watched.becomes("west", State.REACHABLE)
        await fleet.describe("west", insecure(access))
        site = await watched.becomes("west", State.REFUSED)
        assert (site.uid, site.cluster) == (known.uid, None)


async def test_since_when_it_is_refused_does_not_change_with_each_reading(
    fleet: Fleet, access: Access, other: Access
) -> None:
    await fleet.describe("west", insecure(access))
    async with fleet.watched() as watched:
        site = await watched.becomes("west", State.REFUSED)
        await fleet.describe("north", other)
        await watched.becomes("north", State.REACHABLE)
        assert watched.site("west") == site


def insecure(access: Access) -> Access:
    return Access(access.server, {"insecure": "true"}, "t")


async def test_a_hub_that_does_not_answer_changes_nothing(
    fleet: Fleet, other: Access, gated_hub: KubeClient, gate: Gate
) -> None:
    await fleet.describe("north", other)
    async with fleet.watched(hub=gated_hub) as watched:
        await watched.becomes("north", State.REACHABLE)
        await gate.shut()
        await nothing_changes(watched)
        await fleet.forget("north")
        await fleet.describe("east", other)
        await gate.open()
        await watched.becomes("east", State.REACHABLE)


async def test_a_hub_that_takes_the_right_to_read_away_changes_nothing(
    fleet: Fleet, other: Access, kubectl: Kubectl, tmp_path: Path
) -> None:
    kubectl("create", "serviceaccount", "modelfleet-operator")
    account, binding = f"--serviceaccount={kubectl.namespace}:modelfleet-operator", f"members-{kubectl.namespace}"
    kubectl("create", "clusterrolebinding", binding, "--clusterrole=cluster-admin", account)
    await fleet.describe("north", other)
    kubeconfig = kubeconfig_of(kubectl, tmp_path)
    async with await auth.connect(kubeconfig, None) as hub, fleet.watched(hub=hub) as watched:
        await watched.becomes("north", State.REACHABLE)
        kubectl("delete", "clusterrolebinding", binding)
        await nothing_changes(watched)


async def test_a_hub_that_describes_nothing_any_more_changes_nothing(
    fleet: Fleet, other: Access, access: Access, caplog: pytest.LogCaptureFixture
) -> None:
    await fleet.describe("north", other)
    async with fleet.watched() as watched:
        await watched.becomes("north", State.REACHABLE)
        await fleet.forget("north")
        await nothing_changes(watched)
        told: list[Any] = [record for record in caplog.records if "not believed" in record.getMessage()]
        assert len(told) == 1
        await fleet.describe("west", access)
        await watched.becomes("north", State.DETACHED)


async def nothing_changes(watched: Watched) -> None:
    """Whatever cannot be read, the members stay as they are."""
    sites, moves = watched.members.sites(), len(watched.moves)
    await watched.fails_to_read()
    assert watched.members.sites() == sites
    assert len(watched.moves) == moves
