"""plan: from what is observed to the objects that are to be, in one pure step."""

from __future__ import annotations

from dataclasses import dataclass

from modelfleet.core.api import ModelDeployment
from modelfleet.core.children import (
    Defaults,
    canary_key,
    child_key,
    children_of,
    is_settled,
    possible_names,
)
from modelfleet.core.decision import Decision
from modelfleet.core.observed import ChildKey, Observed
from modelfleet.core.views import View


@dataclass(frozen=True, slots=True)
class Plan:
    """Which objects to have and which to remove.

    ``hand_over_replicas`` is the live number of replicas where an autoscaler has just taken them over: it
    has to be kept under another field manager before the Deployment is applied without it, for a field
    that its only owner drops falls back to its default, one replica, which would be an outage.
    """

    children: tuple[View, ...] = ()
    delete: tuple[ChildKey, ...] = ()
    hand_over_replicas: int | None = None


def plan(owner: ModelDeployment, observed: Observed, decision: Decision, defaults: Defaults) -> Plan:
    """Return what the owner needs done now. The same inputs give the same plan, and a done plan no change.

    Only objects with a name of our own making are removed (somebody's copy of one carries our labels too),
    and only when no pod of an earlier revision is left that may need them. A canary goes when it is decided so.
    """
    if not decision.stable:
        return Plan()
    children = children_of(owner, observed, decision, defaults)
    live = observed.deployment(owner.name)
    unwanted = possible_names(owner) & observed.children.keys() - set(map(child_key, children))
    removed = unwanted if is_settled(owner, observed) else unwanted & {canary_key(owner)}
    return Plan(
        children=children,
        delete=tuple(sorted(removed)),
        hand_over_replicas=live.replicas if live and live.owns_replicas and observed.autoscaled else None,
    )
