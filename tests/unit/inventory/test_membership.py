"""What is connected, connected anew and let go of follows from what is used and what is described."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from modelfleet.core.inventory.member import BearerToken, Member, Origin, Refusal, Source
from modelfleet.core.inventory.membership import Difference, difference

NAMES = "abc"
USED = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["old", "new"]))
DESCRIBED = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["old", "new", None]))


def origin(name: str) -> Origin:
    return Origin(Source.ARGOCD, "argocd", name)


def member(name: str, token: str = "old") -> Member:
    return Member(name, origin(name), "", "https://west.example", BearerToken(token))


def found(name: str, token: str | None) -> Member | Refusal:
    return member(name, token) if token else Refusal(name, origin(name), "", "Skipped", "It is skipped.")


def test_a_cluster_that_is_described_as_before_is_left_alone() -> None:
    west = member("west")
    assert difference({west.origin: west}, {west.origin: member("west")}) == Difference()


def test_a_new_token_is_a_change() -> None:
    west, new = member("west"), member("west", "new")
    assert difference({west.origin: west}, {west.origin: new}) == Difference(changed=(new,))


def test_a_refused_cluster_is_not_used_any_more() -> None:
    west = member("west")
    assert difference({west.origin: west}, {west.origin: found("west", None)}) == Difference(lost=(west.origin,))


@given(USED, DESCRIBED)
def test_afterwards_exactly_the_usable_descriptions_are_used(
    used: dict[str, str], described: dict[str, str | None]
) -> None:
    before = {origin(name): member(name, token) for name, token in used.items()}
    news = difference(before, {origin(name): found(name, token) for name, token in described.items()})
    kept = {where: one for where, one in before.items() if where not in news.lost}
    after = kept | {one.origin: one for one in (*news.joined, *news.changed)}
    assert after == {origin(name): member(name, token) for name, token in described.items() if token}
    assert not {one.origin for one in news.joined} & set(before)
    assert {one.origin for one in news.changed} <= set(before)
    assert all(before[one.origin] != replace(one) for one in news.changed)
