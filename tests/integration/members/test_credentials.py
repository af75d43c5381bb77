"""Credentials change while a cluster is in use: a new token is used at once, and a wrong one costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from modelfleet.core.inventory.site import State
from tests.integration.kube.gate import Gate
from tests.integration.members.fleet import QUICK, Access, Fleet
from tests.support.kubectl import Kubectl
from tests.support.until import until

# The API server remembers for 10 s that it has accepted a token.
FORGOTTEN_S = 30.0


class Account:
    """A service account whose tokens can be taken back, which may do everything in the namespace of the test."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl
        kubectl("create", "serviceaccount", "member")
        self.user = f"--serviceaccount={kubectl.namespace}:member"

    def token(self, name: str) -> str:
        """A token that is good as long as the Secret of that name is there."""
        self.kubectl("create", "secret", "generic", name)
        bound = "--bound-object-kind=Secret", f"--bound-object-name={name}"
        return self.kubectl("create", "token", "member", *bound).strip()

    def take_back(self, name: str) -> None:
        self.kubectl("delete", "secret", name)


@pytest.fixture
def account(kubectl: Kubectl) -> Account:
    return Account(kubectl)


@pytest.fixture
def almighty(kubectl: Kubectl, account: Account) -> Iterator[Account]:
    """The account may do everything."""
    name = f"members-{kubectl.namespace}"
    kubectl("create", "clusterrolebinding", name, "--clusterrole=cluster-admin", account.user)
    yield account
    kubectl("delete", "clusterrolebinding", name)


@pytest.fixture
def rightless(kubectl: Kubectl, account: Account) -> Iterator[Account]:
    """The account may see which cluster it is, and nothing else."""
    name = f"members-{kubectl.namespace}"
    kubectl("create", "clusterrole", name, "--verb=get", "--resource=namespaces")
    kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", account.user)
    yield account
    kubectl("delete", "clusterrole,clusterrolebinding", name)


async def test_a_token_that_is_rotated_in_time_is_used_without_a_gap(
    fleet: Fleet, access: Access, almighty: Account
) -> None:
    await fleet.describe("west", access.by(almighty.token("old")))
    new = almighty.token("new")
    async with fleet.watched() as watched:
        before = await watched.becomes("west", State.REACHABLE)
        await fleet.describe("west", access.by(new))
        await until(lambda: watched.site("west").cluster is not before.cluster)
        assert watched.states("west") == [State.UNREACHABLE, State.REACHABLE]
        await asyncio.to_thread(almighty.take_back, "new")
        site = await watched.becomes("west", State.UNREACHABLE, FORGOTTEN_S)
        assert site.reason == "CredentialsInvalid"


async def test_a_refused_token_has_the_descriptions_read_at_once(
    fleet: Fleet, access: Access, almighty: Account
) -> None:
    await fleet.describe("west", access.by(almighty.token("old")))
    new = almighty.token("new")
    async with fleet.watched(replace(QUICK, reading_s=3600.0)) as watched:
        before = await watched.becomes("west", State.REACHABLE)
        await fleet.describe("west", access.by(new))
        await asyncio.to_thread(almighty.take_back, "old")
        await until(lambda: watched.site("west").cluster is not before.cluster, FORGOTTEN_S)
        assert watched.states("west") == [State.UNREACHABLE, State.REACHABLE]


async def test_a_wrong_new_token_does_not_matter_while_the_old_one_works(
    fleet: Fleet, access: Access, almighty: Account
) -> None:
    await fleet.describe("west", access.by(almighty.token("old")))
    async with fleet.watched(replace(QUICK, joining_s=(3600.0, 3600.0))) as watched:
        before = await watched.becomes("west", State.REACHABLE)
        link = watched.link("west")
        await fleet.describe("west", access.by("wrong"))
        await until(lambda: link._joining._tries > 0)
        assert watched.site("west") == before
        await fleet.describe("west", access.by(almighty.token("new")))
        await until(lambda: watched.site("west").cluster not in {before.cluster, None})
        assert watched.states("west") == [State.UNREACHABLE, State.REACHABLE]


async def test_a_wrong_token_is_told_and_a_right_one_is_tried_at_once(fleet: Fleet, access: Access) -> None:
    await fleet.describe("west", access.by("wrong"))
    async with fleet.watched(replace(QUICK, joining_s=(3600.0, 3600.0))) as watched:
        site = await watched.shows("west", lambda site: site.reason == "CredentialsInvalid")
        assert site.state is State.UNREACHABLE
        await fleet.describe("west", access)
        await watched.becomes("west", State.REACHABLE)


async def test_a_member_that_may_not_be_read_is_not_taken_for_an_empty_one(
    fleet: Fleet, access: Access, rightless: Account
) -> None:
    await fleet.describe("west", access.by(rightless.token("t")))
    async with fleet.watched(replace(QUICK, listing_s=0.5)) as watched:
        site = await watched.shows("west", lambda site: site.reason == "Unavailable")
        assert (bool(site.uid), site.cluster, site.state) == (True, None, State.UNREACHABLE)
        assert "modelfleet cluster check west" in site.message


async def test_a_new_token_is_used_as_soon_as_a_cluster_that_was_away_refuses_the_old_one(
    fleet: Fleet, access: Access, gate: Gate, almighty: Account
) -> None:
    """What failed while it was away is not held against the new token."""
    await fleet.describe("west", access.through(gate).by(almighty.token("old")))
    new = almighty.token("new")
    async with fleet.watched(replace(QUICK, joining_s=(0.05, 3600.0))) as watched:
        before = await watched.becomes("west", State.REACHABLE)
        link = watched.link("west")
        await gate.shut()
        await watched.becomes("west", State.UNREACHABLE)
        await fleet.describe("west", access.through(gate).by(new))
        await until(lambda: link._joining._tries > 10)
        await asyncio.to_thread(almighty.take_back, "old")
        await gate.open()
        after = await watched.becomes("west", State.REACHABLE)
        assert after.cluster is not before.cluster
