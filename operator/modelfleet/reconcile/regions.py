"""One reconcile of a ModelDeployment that is in several clusters: each by itself, and none waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from modelfleet.aml.azure import Azure
from modelfleet.core.api import ModelDeployment
from modelfleet.core.children import Defaults, needed_secrets, obstacle
from modelfleet.core.conditions import find
from modelfleet.core.diagnosis import Cause
from modelfleet.core.errors import Conflict, ModelfleetError, NotFound, Terminal
from modelfleet.core.manifest import Manifest
from modelfleet.core.memory import Move, move_of
from modelfleet.core.observed import Observed
from modelfleet.core.overview import Travel, overview
from modelfleet.core.regions import (
    Place,
    commands_of,
    entry_of,
    part_of,
    places_of,
    settling,
    state_of,
    unseen_entry,
    untouched_entry,
    without_members,
)
from modelfleet.core.registered import Resolved
from modelfleet.core.revision import revision_of
from modelfleet.core.rollout import succeeded
from modelfleet.core.status import status_of
from modelfleet.core.waves import Guidance, Journey, guide, read_journey
from modelfleet.reconcile.bring import bring
from modelfleet.reconcile.gather import gather, look
from modelfleet.reconcile.leaving import Leaving
from modelfleet.reconcile.members import Members
from modelfleet.reconcile.report import Reporter
from modelfleet.reconcile.resolve import resolve
from modelfleet.reconcile.world import World

PLACE_S = 20.0
"""How long a reconcile stays with one cluster; what is not done by then is done by the next one."""
AT_ONCE_S = 0.05
AT_FIRST_S = 1.0
"""How soon to look again while no member is known yet, as this process has just begun."""
RECHECK_S = 15.0
CALM_RECHECK_S = 300.0


@dataclass(frozen=True, slots=True)
class _Visit:
    """A place as it was found or as it was left: what is seen there, None where nothing can be."""

    place: Place
    observed: Observed | None = None
    is_stalled: bool = False
    move: Move | None = None
    again_s: float | None = None


class Regions:
    """Brings ModelDeployments with regions nearer to what their specs say; ``hub`` is the UID of this cluster.

    A cluster that answers again is left as it is for the time ``settle``.
    """

    def __init__(
        self,
        world: World,
        members: Members,
        hub: str,
        azure: Azure,
        reporter: Reporter,
        defaults: Defaults,
        now: Callable[[], datetime],
        moved: Callable[[Move], None],
        settle: timedelta,
    ) -> None:
        self._world = world
        self._members = members
        self._hub = hub
        self._azure = azure
        self._reporter = reporter
        self._defaults = defaults
        self._now = now
        self._moved = moved
        self._settle = settle
        self.leaving = Leaving(world, members, reporter, now)

    async def reconcile(self, owner: ModelDeployment) -> float | None:
        """Do what is to be done wherever it can be; return the seconds after which to look again."""
        if self._members.is_configured and not self._members.is_known:
            return AT_FIRST_S
        owner = await self.leaving.mark(owner)
        now = self._now()
        found = [self._found(owner, place) for place in places_of(owner, self._members.sites())]
        observed = _together(found)
        try:
            observed = await gather(self._world.client, owner, observed)
        except ModelfleetError as error:
            return await self._stopped(Resolved(owner), observed, found, _failed(error))
        if problem := self._obstacle(owner, observed):
            return await self._stopped(Resolved(owner), observed, found, problem)
        resolved = resolve(self._azure, owner, observed)
        if resolved.problem:
            return await self._stopped(resolved, observed, found, resolved.problem)
        found = [_knowing(visit, observed, resolved) for visit in found]
        before = _guide(resolved.owner, found, read_journey(owner.status), now)
        left = await asyncio.gather(*(self._visit(resolved.owner, visit, before, now) for visit in found))
        after = _guide(resolved.owner, left, before.journey, now)
        return await self._finish(resolved, left, before, after)

    def _obstacle(self, owner: ModelDeployment, observed: Observed) -> Cause | None:
        return obstacle(owner, observed) if self._members.is_configured else without_members()

    def _found(self, owner: ModelDeployment, place: Place) -> _Visit:
        world = self._world_of(place)
        return _Visit(place, look(world, owner, Observed()) if world else None)

    def _world_of(self, place: Place) -> World | None:
        return self._members.world(place.site.uid) if place.site and place.is_reachable else None

    async def _stopped(
        self, resolved: Resolved, observed: Observed, found: Sequence[_Visit], problem: Cause
    ) -> float:
        """Tell of a problem that concerns all places, and leave them alone."""
        entries = [untouched_entry(visit.place, problem) for visit in found]
        status = overview(resolved, observed, entries, frozenset(), None, problem, self._now())
        await self._reporter.report(resolved.owner, status)
        return RECHECK_S if resolved.again_s is None else min(RECHECK_S, resolved.again_s)

    async def _visit(self, owner: ModelDeployment, found: _Visit, guidance: Guidance, now: datetime) -> _Visit:
        """Do what is to be done in one place, and never fail because of it."""
        place, world = found.place, self._world_of(found.place)
        if world is None or found.observed is None:
            return replace(found, place=replace(place, entry=unseen_entry(place, now)))
        part = part_of(owner, place, self._hub, now)
        try:
            async with asyncio.timeout(PLACE_S):
                return await self._brought(world, part, found, guidance, now)
        except Conflict:
            return replace(found, again_s=AT_ONCE_S)
        except NotFound as error:
            cause = _missing(part, place, error)
        except Terminal as refusal:
            cause = Cause(refusal.reason, refusal.message, stalled=True)
        except (ModelfleetError, TimeoutError) as error:
            self._members.suspect(place.site.uid if place.site else "")
            cause = _failed(error)
        return _stuck(found, part, cause, now)

    async def _brought(
        self, world: World, part: ModelDeployment, found: _Visit, guidance: Guidance, now: datetime
    ) -> _Visit:
        place, observed = found.place, found.observed or Observed()
        if problem := obstacle(part, observed):
            return _stuck(found, part, problem, now)
        settling_gate = settling(place, self._settle, now) if observed.deployment(part.name) else None
        gate, recall = guidance.gates.get(place.name, settling_gate), guidance.recalls.get(place.name)
        decision = await bring(world, part, observed, self._defaults, now, gate, recall)
        observed = look(world, part, observed)
        status = status_of(Resolved(part), observed, None, now, decision)
        again_s = (decision.look_again - now).total_seconds() if decision.look_again else None
        return _Visit(
            replace(place, entry=entry_of(place, status, now)),
            observed,
            is_stalled=_is_stalled(status),
            move=move_of(part.status, decision, now),
            again_s=again_s,
        )

    async def _finish(
        self, resolved: Resolved, left: Sequence[_Visit], before: Guidance, after: Guidance
    ) -> float | None:
        """Tell how it is now, and let go of the places that are named no more."""
        owner, now = resolved.owner, self._now()
        entries = [visit.place.entry for visit in left]
        is_served = all(entry.get("ready") for entry in entries)
        going, again_s = await self.leaving.leave_others(owner, [visit.place for visit in left], is_served)
        states = [state_of(visit.place, owner.name, revision_of(owner.spec), visit.observed) for visit in left]
        stalled = frozenset(visit.place.name for visit in left if visit.is_stalled)
        status = overview(resolved, _together(left), [*entries, *going], stalled, Travel(after, states), None, now)
        if await self._reporter.report(owner, status):
            for move in filter(None, (visit.move for visit in left)):
                self._moved(move)
        is_news = (before.gates, before.recalls) != (after.gates, after.recalls)
        looks = [again_s, resolved.again_s, AT_ONCE_S if is_news else None, *(visit.again_s for visit in left)]
        looks += [(gate.until - now).total_seconds() for gate in after.gates.values() if gate.until]
        if any(needed_secrets(owner.spec)):
            looks.append(CALM_RECHECK_S if is_served else RECHECK_S)
        return min((max(0.0, look) for look in looks if look is not None), default=None)


def _guide(owner: ModelDeployment, visits: Sequence[_Visit], journey: Journey | None, now: datetime) -> Guidance:
    target = revision_of(owner.spec)
    return guide(
        journey,
        target,
        owner.label,
        target in succeeded(owner.status),
        [state_of(visit.place, owner.name, target, visit.observed) for visit in visits],
        owner.spec.rollout,
        commands_of(owner),
        now,
    )


def _together(visits: Sequence[_Visit]) -> Observed:
    """Return all pods, for what they tell of the models; and the Secret that is asked for an address in use."""
    seen = [visit.observed for visit in visits if visit.observed]
    children = next((one.children for one in seen if any(kind == "Secret" for kind, _ in one.children)), {})
    return Observed(children=children, pods=tuple(pod for one in seen for pod in one.pods))


def _knowing(visit: _Visit, observed: Observed, resolved: Resolved) -> _Visit:
    """Return the visit with what the hub knows: the users' Secrets and samples, and what Azure has signed."""
    if visit.observed is None:
        return visit
    known = replace(visit.observed, credentials=observed.credentials, samples=observed.samples)
    return replace(visit, observed=replace(known, signed=resolved.signed))


def _stuck(found: _Visit, part: ModelDeployment, cause: Cause, now: datetime) -> _Visit:
    status = status_of(Resolved(part), found.observed or Observed(), cause, now)
    place = replace(found.place, entry=entry_of(found.place, status, now))
    return replace(found, place=place, is_stalled=cause.stalled, again_s=RECHECK_S)


def _is_stalled(status: Manifest) -> bool:
    return bool(find(status["conditions"], "Stalled"))


def _failed(error: BaseException) -> Cause:
    told = f"{error}" or f"There was no end of it within {PLACE_S:g} s."
    return Cause("ApplyFailed", f"Trying again after an error: {told}")


def _missing(part: ModelDeployment, place: Place, error: NotFound) -> Cause:
    cluster = place.site.name if place.site else ""
    message = f"The cluster {cluster} has no place for it; create the namespace {part.namespace} there: {error}"
    return Cause("NamespaceMissing", message)
