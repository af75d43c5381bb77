"""guide: which regions may begin to change now, and which have to go back. Above the state machine of one region.

A change travels in waves. Which regions are in which wave is settled when it begins; how long things take, and
whether anything may begin at all, is read from the spec each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from modelfleet.core import waits
from modelfleet.core.commands import Commands
from modelfleet.core.conditions import timestamp
from modelfleet.core.decision import Waiting
from modelfleet.core.manifest import Manifest
from modelfleet.core.policy import Policy
from modelfleet.core.rollout import Failure

REST = "*"


@dataclass(frozen=True, slots=True)
class PlannedWave:
    """Regions that change together, by their names in the status; whether a person has to let them, and has."""

    name: str
    regions: tuple[str, ...]
    approval: bool = False
    approved: bool = False


@dataclass(frozen=True, slots=True)
class Journey:
    """The way of a revision through the waves."""

    revision: str
    models: str
    started_at: datetime
    waves: tuple[PlannedWave, ...]


@dataclass(frozen=True, slots=True)
class RegionState:
    """How far a place is on the way to the target. ``region`` is what the spec calls it, ``name`` the status.

    It has started if it runs the target or is changing to it, and is done if the target has succeeded there;
    ``failure`` is why it goes or went back from it.
    """

    name: str
    region: str
    is_reachable: bool = True
    is_started: bool = False
    is_done: bool = False
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Guidance:
    """What is remembered of the waves, and what each region, by its name, is told.

    ``gates`` are why a region may not begin, ``recalls`` why one has to go back that is well itself, and
    ``waiting`` what all of them wait for, if it is not a region's own matter. ``is_complete`` where the target is
    everywhere.
    """

    journey: Journey | None = None
    gates: Mapping[str, Waiting] = field(default_factory=dict)
    recalls: Mapping[str, Failure] = field(default_factory=dict)
    waiting: Waiting | None = None
    is_complete: bool = False


def guide(
    journey: Journey | None,
    target: str,
    label: str,
    is_good: bool,
    states: Sequence[RegionState],
    policy: Policy | None,
    commands: Commands,
    now: datetime,
) -> Guidance:
    """Return what the regions are told. A revision that is good, as it was before, goes everywhere at once."""
    is_complete = all(map(_skipping(states, policy), states))
    is_alone = len(states) == 1 and not (policy and any(wave.approval for wave in policy.waves))
    if policy is None or is_good or is_alone or is_complete:
        return Guidance(is_complete=is_complete)
    planned = _planned(journey, target, label, states, policy, now)
    return _Case(planned, {state.name: state for state in states}, policy, commands, now).guidance()


def read_journey(status: Manifest) -> Journey | None:
    """Return the journey that the status tells of; None if none, or if it is not what was written."""
    entry = status.get("rollout") or {}
    try:
        waves = tuple(_read_wave(wave) for wave in entry["waves"])
        started = datetime.fromisoformat(entry["startedAt"]).astimezone(UTC)
        return Journey(entry["revision"], entry.get("models", ""), started, waves)
    except (KeyError, TypeError, ValueError):
        return None


def write_journey(journey: Journey, states: Sequence[RegionState]) -> Manifest:
    """Return the fields of the status that the journey is read from again, and which wave it has come to."""
    done = {state.name for state in states if state.is_done}
    wave = next((wave.name for wave in journey.waves if not done.issuperset(wave.regions)), "")
    return {
        "revision": journey.revision,
        "models": journey.models,
        "startedAt": timestamp(journey.started_at),
        **({"wave": wave} if wave else {}),
        "waves": [_written_wave(wave) for wave in journey.waves],
    }


def _read_wave(entry: Manifest) -> PlannedWave:
    flags = (entry.get("approval", False), entry.get("approved", False))
    return PlannedWave(entry["name"], tuple(entry["regions"]), *flags)


def _written_wave(wave: PlannedWave) -> dict[str, Any]:
    flags = {name: True for name in ("approval", "approved") if getattr(wave, name)}
    return {"name": wave.name, "regions": list(wave.regions), **flags}


def _skipping(states: Sequence[RegionState], policy: Policy | None) -> Callable[[RegionState], bool]:
    """Return what tells whether a region is complete: done; or, if that is asked for, out of reach.

    What nowhere was shown to be good is never let past.
    """
    may_skip = policy is not None and policy.unreachable == "Skip" and any(state.is_done for state in states)
    return lambda state: state.is_done or (may_skip and not state.is_reachable)


def _planned(
    journey: Journey | None,
    target: str,
    label: str,
    states: Sequence[RegionState],
    policy: Policy,
    now: datetime,
) -> Journey:
    """Return the journey, with the regions that there are by now: new ones join the last wave."""
    if journey is None or journey.revision != target:
        journey = Journey(target, label, now.replace(microsecond=0), tuple(_waves(states, policy)))
    there = {state.name for state in states}
    known = {name for wave in journey.waves for name in wave.regions}
    new = tuple(state.name for state in states if state.name not in known)
    *first, last = journey.waves
    waves = [*first, replace(last, regions=(*last.regions, *new))]
    kept = (replace(wave, regions=tuple(name for name in wave.regions if name in there)) for wave in waves)
    return replace(journey, waves=tuple(wave for wave in kept if wave.regions))


def _waves(states: Sequence[RegionState], policy: Policy) -> Iterator[PlannedWave]:
    """Yield the waves of a new journey, which may be empty but for one."""
    if not policy.waves:
        for region in dict.fromkeys(state.region for state in states):
            yield PlannedWave(region, tuple(state.name for state in states if state.region == region))
        return
    named = {region for wave in policy.waves for region in wave.regions}
    for wave in policy.waves:
        yield PlannedWave(wave.name, tuple(_members(wave.regions, states, named)), wave.approval)


def _members(regions: Iterable[str], states: Sequence[RegionState], named: set[str]) -> Iterator[str]:
    wanted = set(regions)
    for state in states:
        is_named = not named.isdisjoint({state.region, state.name})
        if not wanted.isdisjoint({state.region, state.name}) or (REST in wanted and not is_named):
            yield state.name


@dataclass(frozen=True, slots=True)
class _Case:
    """One look at a journey that goes on."""

    journey: Journey
    states: Mapping[str, RegionState]
    policy: Policy
    commands: Commands
    now: datetime

    def guidance(self) -> Guidance:
        failed = next((state for state in self.states.values() if state.failure), None)
        return self._back(failed, failed.failure) if failed and failed.failure else self._forward()

    # Forward

    def _forward(self) -> Guidance:
        gates: dict[str, Waiting] = {}
        waves: list[PlannedWave] = []
        before = first = None  # what keeps the next wave from beginning, and what all wait for
        for planned in self.journey.waves:
            wave = planned if before else self._approved(planned)
            closed = before or self._closed(wave)
            if closed:
                gates |= {state.name: closed for state in self._in(wave) if not state.is_started}
            if before is None:
                before = closed or self._incomplete(wave)
                first = self._awaited(wave, closed) if before else None
            waves.append(wave)
        return Guidance(replace(self.journey, waves=tuple(waves)), gates, waiting=first)

    def _in(self, wave: PlannedWave) -> list[RegionState]:
        return [self.states[name] for name in wave.regions]

    def _left(self, wave: PlannedWave) -> list[RegionState]:
        """Return the regions that the next wave waits for."""
        is_complete = _skipping(list(self.states.values()), self.policy)
        return [state for state in self._in(wave) if not is_complete(state)]

    def _approved(self, wave: PlannedWave) -> PlannedWave:
        is_asked = wave.approval and not wave.approved
        if is_asked and self.commands.asks("approve", self.journey.revision, wave.name):
            return replace(wave, approved=True)
        return wave

    def _closed(self, wave: PlannedWave) -> Waiting | None:
        """Return why a wave may not begin that is next, or None where it may or has."""
        if not self._left(wave):
            return None
        if held := waits.hold(self.policy, self.now):
            return held
        if wave.approval and not wave.approved:
            return waits.wave_approval(wave.name, wave.regions)
        return None

    def _incomplete(self, wave: PlannedWave) -> Waiting | None:
        """Return what those wait for that come after a wave, or None where it is complete."""
        left = self._left(wave)
        return waits.wave(wave.name, [state.name for state in left]) if left else None

    def _awaited(self, wave: PlannedWave, closed: Waiting | None) -> Waiting | None:
        """Return what all wait for because of a wave that is not complete; None where its regions tell that."""
        left = self._left(wave)
        if closed and not any(state.is_started for state in left):
            return closed
        if any(state.is_reachable for state in left):
            return None
        return waits.unreachable(wave.name, [state.name for state in left])

    # Back

    def _back(self, failed: RegionState, failure: Failure) -> Guidance:
        gate = waits.region_failed(failed.name, failure)
        gates = {state.name: gate for state in self.states.values() if not state.is_started}
        recall = Failure(
            "RegionRolledBack", f"It went back from the same revision in {failed.name}: {failure.message}"
        )
        recalls = {state.name: recall for state in self._recalled() if state.is_reachable and not state.failure}
        left = [
            name for name, state in self.states.items() if name in recalls or (state.is_started and state.failure)
        ]
        return Guidance(self.journey, gates, recalls, waits.back_in(left, failed.name, failure) if left else gate)

    def _recalled(self) -> Iterator[RegionState]:
        """Yield the regions that have to go back: those of a wave with a failure; or all, the last wave first."""
        waves = [self._in(wave) for wave in self.journey.waves]
        if self.policy.rollback == "Wave":
            waves = [wave for wave in waves if any(state.failure for state in wave)]
            yield from (state for wave in waves for state in wave if state.is_started)
            return
        for wave in reversed(waves):
            started = [state for state in wave if state.is_started]
            yield from started
            if any(state.is_reachable for state in started):
                return
