"""One reconcile: gather, plan, execute, and tell the truth about the result in the status."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime
from typing import Any

from modelfleet.aml.azure import Azure
from modelfleet.core.api import ModelDeployment, parse
from modelfleet.core.children import Defaults, needed_secrets, obstacle
from modelfleet.core.conditions import find
from modelfleet.core.diagnosis import Cause
from modelfleet.core.errors import Conflict, ModelfleetError, Terminal
from modelfleet.core.manifest import Manifest
from modelfleet.core.observed import Observed
from modelfleet.core.plan import plan
from modelfleet.core.registered import Resolved
from modelfleet.core.status import status_of, transitions
from modelfleet.kube.client import KubeClient
from modelfleet.kube.events import Event, Recorder
from modelfleet.reconcile.execute import execute
from modelfleet.reconcile.gather import gather, look
from modelfleet.reconcile.resolve import resolve
from modelfleet.reconcile.world import Key, World

RECHECK_S = 15.0
"""How soon to look again at what no watch tells of: a user's Secret, somebody else's object, a refused request."""
CALM_RECHECK_S = 300.0
"""The same while all is well."""


class Reconciler:
    """Brings one ModelDeployment at a time nearer to what its spec says."""

    def __init__(
        self,
        world: World,
        client: KubeClient,
        azure: Azure,
        recorder: Recorder,
        defaults: Defaults,
        now: Callable[[], datetime],
    ) -> None:
        self._world = world
        self._client = client
        self._azure = azure
        self._recorder = recorder
        self._defaults = defaults
        self._now = now

    async def reconcile(self, key: Key) -> float | None:
        """Do what the ModelDeployment needs now; return the seconds after which to look again, or None."""
        body = self._world.owners.get(*key)
        if body is None:
            return None
        owner = parse(body)
        if owner.deleting:
            return None  # the garbage collector takes the children that have an owner reference
        resolved, observed, problem = await self._apply(owner)
        status = await self._report(resolved, observed, problem)
        return _recheck_s(resolved, status, problem)

    async def _apply(self, owner: ModelDeployment) -> tuple[Resolved, Observed, Cause | None]:
        """Do what is to be done; return what is known afterwards, and what stood in the way, if anything did."""
        resolved, observed = Resolved(owner), look(self._world, owner, Observed())
        try:
            observed = await gather(self._client, owner, observed)
            if problem := obstacle(owner, observed):
                return resolved, observed, problem
            resolved = resolve(self._azure, owner, observed)
            if resolved.problem:
                return resolved, observed, resolved.problem
            owner, observed = resolved.owner, dataclasses.replace(observed, signed=resolved.signed)
            await execute(self._world, self._client, owner, observed, plan(owner, observed, self._defaults))
        except Conflict:
            raise
        except Terminal as refusal:
            return resolved, observed, Cause(refusal.reason, refusal.message, stalled=True)
        except ModelfleetError as error:
            await self._report(resolved, observed, Cause("ApplyFailed", f"Trying again after an error: {error}"))
            raise
        return resolved, look(self._world, owner, observed), None

    async def _report(self, resolved: Resolved, observed: Observed, problem: Cause | None) -> Manifest:
        """Return the status; write it where it has changed, and then emit the Events of that change."""
        owner = resolved.owner
        status = status_of(resolved, observed, problem, self._now())
        if status == owner.status:
            return status
        body: dict[str, Any] = {**owner.body, "status": status}
        self._world.owners.put(await self._client.replace_status(body))
        for change in transitions(owner, status):
            regarding = dict(owner.body)
            await self._recorder.emit(Event(regarding, change.type, change.reason, change.note, "Reconcile"))
        return status


def _recheck_s(resolved: Resolved, status: Manifest, problem: Cause | None) -> float | None:
    """Return when to look again at what no watch tells of, or None where nothing of the kind matters."""
    looks = [] if resolved.again_s is None else [resolved.again_s]
    if problem and problem is not resolved.problem:
        looks.append(RECHECK_S)
    if any(needed_secrets(resolved.owner.spec)):
        is_calm = find(status["conditions"], "Ready")["status"] == "True"
        looks.append(CALM_RECHECK_S if is_calm else RECHECK_S)
    return min(looks, default=None)
