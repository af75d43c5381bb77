"""A member that does not answer for a while, in pretended time: what it delays, and what becomes of it."""

from typing import Any

import pytest

from tests.support.pretend_fleet import PretendFleet, fleet

HOURS = 3600
PILOT = [{"name": "pilot", "regions": ["west"]}, {"name": "rest", "regions": ["*"]}]


def baking(**rollout: Any) -> PretendFleet:
    """A fleet in which version 2 bakes in the pilot region, for half an hour, and ten minutes are over."""
    f = fleet(waves=PILOT, bake="30m", **rollout)
    f.write("2")
    f.run_until(lambda: f.phase_in("west") == "Baking")
    f.run(600)
    return f


def test_an_outage_of_two_hours_counts_for_nothing_in_the_bake() -> None:
    f = baking()
    before = list(f.clusters["west"].writes)
    f.lose("west")
    f.run(2 * HOURS)
    assert (f.reason, f.is_stalled) == ("RegionUnreachable", False)
    assert f.clusters["west"].writes == before
    assert "2025-" in f.entry("west")["unreachableSince"]
    assert f.target not in f.running_in("north")
    f.find("west")
    f.run(19 * 60)
    assert f.phase_in("west") == "Baking"
    f.run(2 * 60)
    assert f.phase_in("west") == ""
    assert f.target in f.running_in("north")
    f.run_until(lambda: f.reason == "Serving")
    assert {f.stable_in(region) for region in f.clusters} == {f.target}


def test_a_region_that_is_skipped_catches_up_when_it_is_back() -> None:
    f = fleet(waves=PILOT, bake="1m", unreachable="Skip")
    f.lose("north")
    f.write("2")
    f.run_until(lambda: f.stable_in("east") == f.target and not f.phase_in("east"))
    assert f.results[0] == (f.target, "Succeeded")
    assert (f.reason, f.reason_in("north")) == ("RegionUnreachable", "RegionUnreachable")
    assert f.target not in f.running_in("north")
    f.find("north")
    f.run_until(lambda: f.reason == "Serving")
    assert f.stable_in("north") == f.target


def test_the_pilot_is_never_skipped() -> None:
    f = baking(unreachable="Skip")
    f.lose("west")
    f.run(2 * HOURS)
    assert f.target not in f.running_in("north") | f.running_in("east")


@pytest.mark.parametrize("lost", ["west", "north", "east"])
def test_an_outage_of_one_region_delays_no_other_of_its_wave(lost: str) -> None:
    f = fleet(waves=[{"name": "all", "regions": ["*"]}], bake="10m")
    f.write("2")
    f.lose(lost)
    f.run(15 * 60)
    assert {region for region in f.clusters if f.stable_in(region) == f.target} == {*f.clusters} - {lost}


def test_a_bad_version_that_cannot_be_reached_goes_back_as_soon_as_it_can() -> None:
    f = fleet(bake="30m", analysis={"maxErrorRate": "1%", "minRequests": 100})
    old = f.target
    f.write("2")
    f.run_until(lambda: f.phase_in("west") == "Baking")
    f.lose("west")
    f.behave("2", "west", error_rate=0.5)
    f.run(HOURS)
    assert f.stable_in("west") == f.target
    f.find("west")
    f.run_until(lambda: f.reason == "RolledBack")
    assert {f.stable_in(region) for region in f.clusters} == {old}


def test_nothing_begins_in_a_region_that_is_back_before_its_nodes_know_what_they_missed() -> None:
    f = fleet(waves=[{"name": "all", "regions": ["*"]}])
    f.lose("north")
    f.write("2")
    f.run(600)
    f.find("north")
    f.run(59)
    assert (f.reason_in("north"), f.stable_in("north") == f.target) == ("RegionSettling", False)
    f.run(2)
    assert f.stable_in("north") == f.target
    f.run_until(lambda: f.reason == "Serving")


def test_while_nothing_changes_nothing_is_written() -> None:
    f = baking()
    f.lose("north")
    f.run(60)
    before = f.writes
    f.run(600)
    assert f.writes == before


def test_an_outage_is_told_of_from_its_beginning_to_its_end() -> None:
    f = fleet()
    f.lose("north")
    f.run()
    assert (f.reason, f.status["regionsReady"]) == ("RegionUnreachable", "2/3")
    f.find("north")
    f.run()
    assert (f.reason, f.status["regionsReady"]) == ("Serving", "3/3")
    assert "unreachableSince" not in f.entry("north")
