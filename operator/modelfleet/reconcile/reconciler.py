"""One reconcile: gather, plan, execute, and tell the truth about the result in the status."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from modelfleet.aml.azure import Azure
from modelfleet.core.api import ModelDeployment, parse
from modelfleet.core.children import Defaults, needed_secrets, obstacle
from modelfleet.core.conditions import find
from modelfleet.core.decision import Decision
from modelfleet.core.diagnosis import Cause
from modelfleet.core.errors import Conflict, ModelfleetError, Terminal
from modelfleet.core.manifest import Manifest
from modelfleet.core.memory import Move, move_of
from modelfleet.core.observed import Observed
from modelfleet.core.registered import Resolved
from modelfleet.core.status import status_of
from modelfleet.reconcile.bring import bring
from modelfleet.reconcile.gather import gather, look
from modelfleet.reconcile.regions import Regions
from modelfleet.reconcile.report import Reporter
from modelfleet.reconcile.resolve import resolve
from modelfleet.reconcile.world import Key, World

RECHECK_S = 15.0
"""How soon to look again at what no watch tells of: a user's Secret, somebody else's object, a refused request."""
CALM_RECHECK_S = 300.0
"""The same while all is well."""


@dataclass(frozen=True, slots=True)
class _Done:
    """What a reconcile knows when it has done what it could; ``problem`` is what stood in its way, if anything."""

    resolved: Resolved
    observed: Observed
    problem: Cause | None = None
    decision: Decision | None = None


class Reconciler:
    """Brings one ModelDeployment at a time nearer to what its spec says, in the cluster that it is in."""

    def __init__(
        self,
        world: World,
        azure: Azure,
        reporter: Reporter,
        defaults: Defaults,
        now: Callable[[], datetime],
        moved: Callable[[Move], None],
        regions: Regions,
    ) -> None:
        self._world = world
        self._azure = azure
        self._reporter = reporter
        self._defaults = defaults
        self._now = now
        self._moved = moved
        self._regions = regions

    async def reconcile(self, key: Key) -> float | None:
        """Do what the ModelDeployment needs now; return the seconds after which to look again, or None."""
        body = self._world.owners.get(*key)
        if body is None:
            await self._regions.leaving.sweep(key)
            return None
        owner = parse(body)
        if owner.deleted_at:
            # The garbage collector takes the children that have an owner reference.
            return await self._regions.leaving.leave_all(owner)
        if owner.spec.regions:
            return await self._regions.reconcile(owner)
        done = await self._apply(owner)
        status = await self._report(done)
        if find(status["conditions"], "Ready")["status"] == "True":
            await self._regions.leaving.come_home(owner)
        return _recheck_s(done, status, self._now())

    async def _apply(self, owner: ModelDeployment) -> _Done:
        """Do what is to be done; return what is known afterwards, and what stood in the way, if anything did."""
        resolved, observed = Resolved(owner), look(self._world, owner, Observed())
        try:
            observed = await gather(self._world.client, owner, observed)
            if problem := obstacle(owner, observed):
                return _Done(resolved, observed, problem)
            resolved = resolve(self._azure, owner, observed)
            if resolved.problem:
                return _Done(resolved, observed, resolved.problem)
            owner, observed = resolved.owner, dataclasses.replace(observed, signed=resolved.signed)
            decision = await bring(self._world, owner, observed, self._defaults, self._now())
        except Conflict:
            raise
        except Terminal as refusal:
            return _Done(resolved, observed, Cause(refusal.reason, refusal.message, stalled=True))
        except ModelfleetError as error:
            problem = Cause("ApplyFailed", f"Trying again after an error: {error}")
            await self._report(_Done(resolved, observed, problem))
            raise
        return _Done(resolved, look(self._world, owner, observed), decision=decision)

    async def _report(self, done: _Done) -> Manifest:
        """Return the status; write it where it has changed, and then emit the Events of that change."""
        owner = done.resolved.owner
        status = status_of(done.resolved, done.observed, done.problem, self._now(), done.decision)
        is_news = await self._reporter.report(owner, status)
        if is_news and done.decision and (move := move_of(owner.status, done.decision, self._now())):
            self._moved(move)
        return status


def _recheck_s(done: _Done, status: Manifest, now: datetime) -> float | None:
    """Return when to look again at what no watch tells of, or None where nothing of the kind matters."""
    resolved, problem = done.resolved, done.problem
    looks = [] if resolved.again_s is None else [resolved.again_s]
    if done.decision and done.decision.look_again:
        looks.append(max(0.0, (done.decision.look_again - now).total_seconds()))
    if problem and problem is not resolved.problem:
        looks.append(RECHECK_S)
    if any(needed_secrets(resolved.owner.spec)):
        is_calm = find(status["conditions"], "Ready")["status"] == "True"
        looks.append(CALM_RECHECK_S if is_calm else RECHECK_S)
    return min(looks, default=None)
