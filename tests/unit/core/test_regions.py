"""Which clusters a ModelDeployment is in, whatever is known of them, and what its status keeps of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from modelfleet.core.inventory.site import Site, State
from modelfleet.core.regions import Place, left_of, part_of, places_of, unseen_entry
from modelfleet.core.rollout import read_rollout
from tests.support.modeldeployments import Manifest
from tests.support.objects import owner

NOW = datetime(2025, 11, 22, 13, tzinfo=UTC)
WEST, NORTH = {"name": "westeurope"}, {"name": "northeurope"}


def site(name: str, region: str, uid: str = "", state: State = State.REACHABLE, **told: str) -> Site:
    return Site(name, region, uid or f"uid-of-{name}", state, NOW, **told)


def entry(name: str, cluster: str, **more: Any) -> Manifest:
    return {"name": name, "cluster": cluster, "clusterUID": f"uid-of-{cluster}", **more}


def places(regions: list[Manifest], sites: list[Site], entries: list[Manifest] | None = None) -> list[Place]:
    return places_of(owner(regions=regions, status={"regions": entries or []}), sites)


def test_each_region_is_served_by_its_cluster_in_the_order_of_the_spec() -> None:
    found = places(
        [NORTH, WEST], [site("aks-1", "westeurope"), site("aks-2", "northeurope"), site("aks-3", "eastus")]
    )
    assert [(place.name, place.site and place.site.name) for place in found] == [
        ("northeurope", "aks-2"),
        ("westeurope", "aks-1"),
    ]


def test_several_clusters_of_a_region_all_serve_unless_one_is_named() -> None:
    sites = [site("aks-1", "westeurope"), site("aks-2", "westeurope")]
    assert [place.name for place in places([WEST], sites)] == ["westeurope/aks-1", "westeurope/aks-2"]
    assert [place.name for place in places([{**WEST, "cluster": "aks-2"}], sites)] == ["westeurope"]


def test_a_region_without_a_cluster_is_a_place_of_which_nothing_is_known() -> None:
    [found] = places([WEST], [site("aks-2", "northeurope")])
    told = unseen_entry(found, NOW)
    assert (found.site, told["reason"], told["ready"]) == (None, "RegionUnknown", False)


def test_what_is_remembered_of_a_cluster_follows_its_identity_and_not_its_name() -> None:
    known = [entry("westeurope", "aks-old", stableRevision="a")]
    [renamed] = places([WEST], [site("aks-new", "westeurope", uid="uid-of-aks-old")], known)
    assert renamed.entry["stableRevision"] == "a"
    [rebuilt] = places([WEST], [site("aks-old", "westeurope", uid="another")], known)
    assert rebuilt.entry == {}


def test_a_cluster_that_is_no_member_any_more_keeps_what_is_remembered_of_it() -> None:
    [found] = places([WEST], [site("aks-2", "northeurope")], [entry("westeurope", "aks-1", stableRevision="a")])
    told = unseen_entry(found, NOW)
    assert (told["phase"], told["stableRevision"], told["clusterUID"]) == ("Detached", "a", "uid-of-aks-1")
    assert told["unreachableSince"] == "2025-11-22T13:00:00Z"


def test_a_cluster_that_this_process_has_not_seen_yet_is_as_it_was() -> None:
    before = entry("westeurope", "aks-1", phase="Healthy", ready=True)
    connecting = Site("aks-1", "westeurope", "", State.UNREACHABLE, NOW, "Connecting", "Not seen yet.")
    [found] = places([WEST], [connecting], [before])
    assert unseen_entry(found, NOW) == before


def test_since_when_a_cluster_is_unreachable_is_said_once() -> None:
    lost = site("aks-1", "westeurope", state=State.UNREACHABLE, message="It refuses.")
    [found] = places([WEST], [lost], [entry("westeurope", "aks-1", unreachableSince="2025-11-22T12:00:00Z")])
    told = unseen_entry(found, NOW)
    assert (told["reason"], told["unreachableSince"]) == ("RegionUnreachable", "2025-11-22T12:00:00Z")


def test_a_region_that_is_named_no_more_is_told_of_until_it_is_cleared() -> None:
    sites = [site("aks-1", "westeurope"), site("aks-2", "northeurope")]
    of = owner(regions=[WEST], status={"regions": [entry("westeurope", "aks-1"), entry("northeurope", "aks-2")]})
    [left] = left_of(of, places_of(of, sites), sites)
    assert (left.name, left.is_reachable) == ("northeurope", True)


def test_a_region_has_replicas_of_its_own_or_those_of_all() -> None:
    of = owner(replicas=4, regions=[{**WEST, "replicas": 0}, NORTH])
    found = places_of(of, [site("aks-1", "westeurope"), site("aks-2", "northeurope")])
    assert [part_of(of, place, "hub", NOW).spec.replicas for place in found] == [0, 4]


def test_the_clocks_of_a_rollout_stand_still_while_its_cluster_cannot_be_seen() -> None:
    rollout = {
        "revision": "0123456789",
        "phase": "Baking",
        "startedAt": "2025-11-22T10:00:00Z",
        "since": "2025-11-22T10:00:00Z",
        "readySince": "2025-11-22T10:30:00Z",
    }
    away = entry("westeurope", "aks-1", rollout=rollout, unreachableSince="2025-11-22T11:00:00Z")
    of = owner(regions=[WEST], status={"regions": [away]})
    [found] = places_of(of, [site("aks-1", "westeurope")])
    seen = read_rollout(part_of(of, found, "hub", NOW).status)
    assert seen
    assert seen.ready_since
    assert NOW - seen.ready_since == timedelta(minutes=30)
    assert NOW - seen.since == timedelta(hours=1)
