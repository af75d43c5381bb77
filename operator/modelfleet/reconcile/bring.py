"""Bringing one cluster nearer to what one ModelDeployment is to be there."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from modelfleet.core.api import ModelDeployment
from modelfleet.core.children import Defaults
from modelfleet.core.decision import Decision, Waiting
from modelfleet.core.observed import Observed
from modelfleet.core.plan import plan
from modelfleet.core.region import decide
from modelfleet.core.rollout import Failure
from modelfleet.reconcile.execute import execute
from modelfleet.reconcile.gather import facts
from modelfleet.reconcile.world import World


async def bring(
    world: World,
    owner: ModelDeployment,
    observed: Observed,
    defaults: Defaults,
    now: datetime,
    gate: Waiting | None = None,
    recall: Failure | None = None,
) -> Decision:
    """Decide what is to run there now, and make it so; may raise any ModelfleetError.

    Other regions have a say in it: the ``gate`` keeps a rollout from beginning, the ``recall`` takes it back.
    """
    known = await facts(world.client, owner, observed, now)
    decision = decide(dataclasses.replace(known, gate=gate, recall=recall), owner.spec.rollout, now)
    todo = plan(owner, observed, decision, defaults)
    await execute(world, owner, observed, todo)
    return decision
