"""One reconcile: gather, plan, execute, and tell the truth about the result in the status."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from modelfleet.core.api import ModelDeployment, parse
from modelfleet.core.children import Defaults, obstacle
from modelfleet.core.diagnosis import Cause
from modelfleet.core.errors import Conflict, ModelfleetError, Terminal
from modelfleet.core.observed import Observed
from modelfleet.core.plan import plan
from modelfleet.core.status import status_of, transitions
from modelfleet.kube.client import KubeClient
from modelfleet.kube.events import Event, Recorder
from modelfleet.reconcile.execute import execute
from modelfleet.reconcile.gather import gather, look
from modelfleet.reconcile.world import Key, World

RECHECK_S = 15.0
"""How soon to look again at what no watch tells of: a user's Secret, somebody else's object, a refused request."""


class Reconciler:
    """Brings one ModelDeployment at a time nearer to what its spec says."""

    def __init__(
        self,
        world: World,
        client: KubeClient,
        recorder: Recorder,
        defaults: Defaults,
        now: Callable[[], datetime],
    ) -> None:
        self._world = world
        self._client = client
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
        observed = await gather(self._world, self._client, owner)
        problem = obstacle(owner, observed)
        if problem is None:
            observed, problem = await self._apply(owner, observed)
        await self._report(owner, observed, problem)
        return RECHECK_S if problem or owner.spec.model.secret_name else None

    async def _apply(self, owner: ModelDeployment, observed: Observed) -> tuple[Observed, Cause | None]:
        """Carry out the plan; return what is known afterwards, and the API server's refusal if there was one."""
        try:
            await execute(self._world, self._client, owner, observed, plan(owner, observed, self._defaults))
        except Conflict:
            raise
        except Terminal as refusal:
            return observed, Cause(refusal.reason, refusal.message, stalled=True)
        except ModelfleetError as error:
            await self._report(owner, observed, Cause("ApplyFailed", f"Trying again after an error: {error}"))
            raise
        return look(self._world, owner, observed), None

    async def _report(self, owner: ModelDeployment, observed: Observed, problem: Cause | None) -> None:
        """Write the status where it has changed, then emit the Events of the transition that it made lasting."""
        status = status_of(owner, observed, problem, self._now())
        if status == owner.status:
            return
        body: dict[str, Any] = {**owner.body, "status": status}
        self._world.owners.put(await self._client.replace_status(body))
        for change in transitions(owner, status):
            regarding = dict(owner.body)
            await self._recorder.emit(Event(regarding, change.type, change.reason, change.note, "Reconcile"))
