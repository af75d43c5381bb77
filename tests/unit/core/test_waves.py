"""Waves: which regions may begin to change, in which order, and which have to go back with others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelfleet.core.commands import Commands
from modelfleet.core.decision import NO_COMMANDS
from modelfleet.core.policy import Freeze, Policy, Wave
from modelfleet.core.rollout import Failure
from modelfleet.core.waves import Guidance, Journey, RegionState, guide, read_journey, write_journey

NOW = datetime(2025, 11, 22, 13, tzinfo=UTC)
TARGET = "0123456789"
FAILED = Failure("ErrorRateTooHigh", "Too many requests fail.")
PILOT = Wave("pilot", ("west",))
REST = Wave("rest", ("*",))


def state(name: str, place: str = "", **so: bool) -> RegionState:
    flags: dict[str, Any] = {f"is_{key}": value for key, value in so.items()}
    return RegionState(name, place or name, **flags)


def done(name: str) -> RegionState:
    return state(name, started=True, done=True)


def on_its_way(name: str) -> RegionState:
    return state(name, started=True)


def lost(of: RegionState) -> RegionState:
    return replace(of, is_reachable=False)


def failed(name: str, *, started: bool = False) -> RegionState:
    return replace(state(name, started=started), failure=FAILED)


def told(
    *states: RegionState,
    policy: Policy | None = None,
    journey: Journey | None = None,
    is_good: bool = False,
    approve: str = "",
    now: datetime = NOW,
) -> Guidance:
    commands = Commands({"approve": approve}, {}) if approve else NO_COMMANDS
    policy = Policy() if policy is None else policy
    return guide(journey, TARGET, "claims version 2", is_good, states, policy, commands, now)


def reasons(guidance: Guidance) -> dict[str, str]:
    return {name: gate.reason for name, gate in guidance.gates.items()}


# Forward


def test_without_waves_one_region_goes_after_the_other() -> None:
    first = told(state("west"), state("north"), state("east"))
    assert reasons(first) == {"north": "WaveWaiting", "east": "WaveWaiting"}
    second = told(done("west"), on_its_way("north"), state("east"), journey=first.journey)
    assert reasons(second) == {"east": "WaveWaiting"}
    assert reasons(told(done("west"), done("north"), state("east"), journey=first.journey)) == {}


def test_regions_of_a_wave_go_together_and_those_that_no_wave_names_join_the_last() -> None:
    waves = Policy(waves=(Wave("first", ("west", "north")), Wave("second", ("east",))))
    found = told(state("west"), state("north"), state("east"), state("south"), policy=waves)
    assert reasons(found) == {"east": "WaveWaiting", "south": "WaveWaiting"}


def test_all_clusters_of_a_region_go_with_it() -> None:
    states = [state("west/a", "west"), state("west/b", "west"), state("north")]
    assert reasons(told(*states)) == {"north": "WaveWaiting"}
    assert reasons(told(*states, policy=Policy(waves=(PILOT, REST)))) == {"north": "WaveWaiting"}


def test_a_good_revision_and_a_change_without_policy_go_everywhere_at_once() -> None:
    assert told(state("west"), state("north"), is_good=True) == Guidance()
    assert guide(None, TARGET, "", False, [state("west"), state("north")], None, NO_COMMANDS, NOW) == Guidance()


def test_a_wave_waits_for_a_person_and_once_approved_needs_none_again() -> None:
    policy = Policy(waves=(PILOT, replace(REST, approval=True)))
    asking = told(done("west"), state("north"), policy=policy)
    assert asking.waiting
    assert asking.waiting.reason == "ApprovalNeeded"
    approved = told(done("west"), state("north"), policy=policy, journey=asking.journey, approve=f"{TARGET}:rest")
    assert (reasons(approved), approved.waiting) == ({}, None)
    assert reasons(told(done("west"), state("north"), policy=policy, journey=approved.journey)) == {}


@pytest.mark.parametrize("approve", [TARGET, f"{TARGET}:rest", f"{TARGET}:pilot", "another"])
def test_an_approval_is_for_the_wave_that_is_next(approve: str) -> None:
    policy = Policy(waves=(PILOT, replace(REST, approval=True)))
    early = told(on_its_way("west"), state("north"), policy=policy, approve=approve)
    assert early.journey
    assert not any(wave.approved for wave in early.journey.waves)
    due = told(done("west"), state("north"), policy=policy, approve=approve)
    assert (reasons(due) == {}) == (approve in {TARGET, f"{TARGET}:rest"})


def test_nothing_begins_while_it_is_paused_or_frozen_and_what_has_begun_goes_on() -> None:
    assert reasons(told(on_its_way("west"), state("north"), policy=Policy(paused=True))) == {"north": "Paused"}
    frozen = Policy(freezes=(Freeze(NOW, NOW + timedelta(hours=1)),))
    found = told(state("west"), state("north"), policy=frozen)
    assert reasons(found) == {"west": "Frozen", "north": "Frozen"}
    assert reasons(told(state("west"), state("north"), policy=frozen, now=NOW + timedelta(hours=1))) == {
        "north": "WaveWaiting"
    }


# Regions that come, go, and cannot be seen


def test_a_region_that_is_taken_out_is_waited_for_no_more_and_a_new_one_joins_the_last_wave() -> None:
    begun = told(on_its_way("west"), state("north"), state("east"))
    assert reasons(told(state("north"), state("east"), journey=begun.journey)) == {"east": "WaveWaiting"}
    joined = told(on_its_way("west"), state("north"), state("east"), state("south"), journey=begun.journey)
    assert joined.journey
    assert joined.journey.waves[-1].regions == ("east", "south")


def test_the_waves_stay_as_they_were_when_the_journey_began() -> None:
    begun = told(on_its_way("west"), state("north"), policy=Policy(waves=(PILOT, REST)))
    later = told(on_its_way("west"), state("north"), policy=Policy(waves=(REST,)), journey=begun.journey)
    assert later.journey == begun.journey


def test_a_region_that_cannot_be_reached_is_waited_for() -> None:
    found = told(lost(on_its_way("west")), state("north"))
    assert (found.waiting and found.waiting.reason, reasons(found)) == (
        "RegionUnreachable",
        {"north": "WaveWaiting"},
    )


def test_it_may_be_skipped_once_the_version_is_good_somewhere_else() -> None:
    skip = Policy(unreachable="Skip")
    assert reasons(told(lost(on_its_way("west")), state("north"), policy=skip)) == {"north": "WaveWaiting"}
    assert reasons(told(done("west"), lost(state("north")), state("east"), policy=skip)) == {}
    assert told(done("west"), lost(state("north")), done("east"), policy=skip).is_complete


# Back


def test_after_a_failure_no_region_begins_and_those_of_its_wave_go_back() -> None:
    policy = Policy(waves=(Wave("first", ("south",)), Wave("second", ("west", "north")), REST))
    found = told(done("south"), failed("west", started=True), done("north"), state("east"), policy=policy)
    assert (reasons(found), list(found.recalls)) == ({"east": "RolledBack"}, ["north"])
    assert found.waiting
    assert (found.waiting.reason, "west, north still" in found.waiting.message) == ("RollingBack", True)
    over = told(
        done("south"), failed("west"), failed("north"), state("east"), policy=policy, journey=found.journey
    )
    assert (over.recalls, over.waiting and over.waiting.reason) == ({}, "RolledBack")


def test_all_may_go_back_the_last_wave_first() -> None:
    policy = Policy(rollback="All")
    going = told(done("west"), done("north"), failed("east", started=True), policy=policy)
    assert going.recalls == {}
    second = told(done("west"), done("north"), failed("east"), policy=policy)
    assert list(second.recalls) == ["north"]
    assert list(told(done("west"), failed("north"), failed("east"), policy=policy).recalls) == ["west"]
    unseen = told(done("west"), lost(done("north")), failed("east"), policy=policy)
    assert list(unseen.recalls) == ["west"]


# In any order of events


@dataclass
class Fleet:
    """Regions to which things happen, guided as the operator does it."""

    states: dict[str, RegionState]
    policy: Policy
    journey: Journey | None = None

    def look(self, approve: str = "") -> Guidance:
        found = told(*self.states.values(), policy=self.policy, journey=self.journey, approve=approve)
        self.check(found)
        self.journey = found.journey
        again = told(*self.states.values(), policy=self.policy, journey=self.journey)
        assert again == found
        if found.journey:
            assert (
                read_journey({"rollout": write_journey(found.journey, [*self.states.values()])}) == found.journey
            )
        return found

    def check(self, found: Guidance) -> None:
        assert not any(self.states[name].is_started for name in found.gates)
        assert all(self.states[name].is_reachable and self.states[name].is_started for name in found.recalls)
        has_failed = any(one.failure for one in self.states.values())
        free = [one for name, one in self.states.items() if name not in found.gates and not one.is_started]
        assert not (has_failed and free)
        for one in free if found.journey else []:
            assert found.journey
            index = next(i for i, wave in enumerate(found.journey.waves) if one.name in wave.regions)
            before = [self.states[name] for wave in found.journey.waves[:index] for name in wave.regions]
            assert all(other.is_done or not other.is_reachable for other in before)
            assert found.journey.waves[index].approved or not found.journey.waves[index].approval

    def happen(self, event: str, name: str) -> None:
        found, one = self.look(), self.states[name]
        free = name not in found.gates
        match event:
            case "begin" if free and one.is_reachable and not one.failure:
                one = replace(one, is_started=True)
            case "end" if one.is_started and one.is_reachable and not one.failure:
                one = replace(one, is_done=True)
            case "fail" if one.is_started and one.is_reachable:
                one = replace(one, is_done=False, failure=FAILED)
            case "back" if one.is_reachable and (one.failure or name in found.recalls):
                one = replace(one, is_started=False, is_done=False, failure=one.failure or FAILED)
            case "lose" | "find":
                one = replace(one, is_reachable=event == "find")
        self.states[name] = one


NAMES = ["west", "north", "east", "south"]
EVENTS = st.tuples(st.sampled_from(["begin", "end", "fail", "back", "lose", "find"]), st.sampled_from(NAMES))
POLICIES = st.builds(
    Policy,
    waves=st.sampled_from([(), (PILOT, replace(REST, approval=True)), (Wave("a", ("east", "west")), REST)]),
    unreachable=st.sampled_from(["Block", "Skip"]),
    rollback=st.sampled_from(["Wave", "All"]),
)


@settings(max_examples=300, deadline=None)
@given(policy=POLICIES, events=st.lists(EVENTS, max_size=30))
def test_whatever_happens_waves_keep_their_order_and_end_when_all_is_well_again(
    policy: Policy, events: list[tuple[str, str]]
) -> None:
    fleet = Fleet({name: state(name) for name in NAMES}, policy)
    for event, name in events:
        fleet.happen(event, name)
    for name, one in fleet.states.items():  # a person has mended it, and asks for another try
        fleet.states[name] = replace(one, is_reachable=True, failure=None)
    for _ in NAMES:
        fleet.look(approve=TARGET)
        for name in NAMES:
            fleet.happen("begin", name)
            fleet.happen("end", name)
        fleet.look(approve=TARGET)
    assert fleet.look().is_complete
