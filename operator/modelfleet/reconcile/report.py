"""Telling people how a ModelDeployment is doing: its status, and the Events that a change of it is worth."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from modelfleet.core.api import ModelDeployment
from modelfleet.core.manifest import Manifest
from modelfleet.core.status import transitions
from modelfleet.kube.events import Event, Recorder
from modelfleet.reconcile.world import World

Kind: TypeAlias = Literal["Normal", "Warning"]


class Reporter:
    """Writes what has changed, and nothing else."""

    def __init__(self, world: World, recorder: Recorder) -> None:
        self._world = world
        self._recorder = recorder

    async def report(self, owner: ModelDeployment, status: Manifest) -> bool:
        """Write the status and then emit the Events of the change; return whether there was one."""
        if status == owner.status:
            return False
        body: dict[str, Any] = {**owner.body, "status": status}
        self._world.owners.put(await self._world.client.replace_status(body))
        for change in transitions(owner, status):
            await self.event(owner, change.type, change.reason, change.note)
        return True

    async def event(self, owner: ModelDeployment, kind: Kind, reason: str, note: str) -> None:
        """Emit an Event about the owner."""
        await self._recorder.emit(Event(dict(owner.body), kind, reason, note, "Reconcile"))
