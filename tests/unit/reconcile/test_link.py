"""A defect that one member brings to light costs that member, and is tried again like any failure."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from modelfleet.core.inventory.member import BearerToken, Member, Origin, Source
from modelfleet.core.inventory.site import State
from modelfleet.reconcile.link import Link
from modelfleet.reconcile.pace import Backoff, Pace
from modelfleet.reconcile.session import Session
from tests.support.until import until

WEST = Member("west", Origin(Source.ARGOCD, "argocd", "west"), "", "https://west.example", BearerToken("planted"))


async def test_a_defect_is_logged_and_told_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    tries: list[Member] = []

    def enter(member: Member) -> Session:
        tries.append(member)
        raise ZeroDivisionError

    async def reread() -> None: ...

    quick = Pace(joining_s=(0.01, 0.02))
    link = Link(WEST, "", enter, "", quick, lambda: datetime.now(UTC), reread, lambda: None)
    async with asyncio.TaskGroup() as group:
        link.start(group)
        await until(lambda: len(tries) > 2)
        assert (link.site.state, link.site.reason) == (State.UNREACHABLE, "Unavailable")
        link.stop()
    assert "ZeroDivisionError" in caplog.text
    assert "planted" not in caplog.text


def test_pauses_double_until_the_longest_and_begin_anew_when_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda _low, _high: 1.0)
    pauses = Backoff(5, 60)
    assert [pauses.next_s() for _ in range(6)] == [5, 10, 20, 40, 60, 60]
    pauses.reset()
    assert pauses.next_s() == 5


def test_pauses_are_never_the_same_by_more_than_a_quarter() -> None:
    pauses = [Backoff(4, 4).next_s() for _ in range(100)]
    assert 3 <= min(pauses) < max(pauses) <= 5
