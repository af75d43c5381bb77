"""Each cluster is told of once, and of one that is not used what is left to tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from modelfleet.core.inventory.member import Origin, Refusal, Source
from modelfleet.core.inventory.site import State
from modelfleet.reconcile.site import Site, each_once, unused

T0 = datetime(2026, 1, 1, tzinfo=UTC)
T1 = T0 + timedelta(hours=1)


def site(name: str, uid: str = "1", region: str = "", state: State = State.REACHABLE) -> Site:
    return Site(name, region, uid, state, T0, origin=Origin(Source.ARGOCD, "argocd", name))


def refusal(name: str = "west", reason: str = "Skipped") -> Refusal:
    return Refusal(name, site(name).origin, "westeurope", reason, f"It is refused: {reason}.")


def test_the_first_description_of_a_cluster_is_told() -> None:
    assert each_once([site("a"), site("b", "2"), site("c")]) == (site("a"), site("b", "2"))


def test_a_region_that_only_another_description_names_is_believed() -> None:
    assert each_once([site("a"), site("b", region="west")]) == (site("a", region="west"),)


def test_clusters_of_which_nobody_knows_which_they_are_stay_apart() -> None:
    assert len(each_once([site("a", ""), site("b", "")])) == 2


def test_a_cluster_that_is_not_described_any_more_is_detached_since_then() -> None:
    left = unused(site("west", region="westeurope"), None, T1)
    assert left
    assert (left.state, left.since, left.uid, left.region) == (State.DETACHED, T1, "1", "westeurope")
    assert unused(left, None, T1 + timedelta(hours=1)) == left


def test_of_one_that_nobody_knew_nothing_is_left() -> None:
    assert unused(site("west", ""), None, T1) is None
    assert unused(None, None, T1) is None


def test_a_refused_cluster_keeps_its_identity() -> None:
    told = unused(site("west"), refusal(), T1)
    assert told
    assert (told.uid, told.state, told.since, told.reason) == ("1", State.REFUSED, T1, "Skipped")


def test_since_when_a_cluster_is_refused_changes_with_the_reason_only() -> None:
    first = unused(None, refusal(), T0)
    assert unused(first, refusal(), T1) == first
    other = unused(first, refusal(reason="ServerMissing"), T1)
    assert other
    assert (other.since, other.reason) == (T1, "ServerMissing")


def test_one_that_was_refused_and_is_gone_is_detached_if_it_was_known() -> None:
    assert unused(unused(None, refusal(), T0), None, T1) is None
    known = unused(unused(site("west"), refusal(), T0), None, T1)
    assert known
    assert (known.uid, known.state, known.since, known.reason) == ("1", State.DETACHED, T1, "")
