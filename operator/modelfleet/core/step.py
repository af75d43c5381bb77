"""A step of a canary: which share it is to have, what that takes, and whether all of it is there."""

from __future__ import annotations

from dataclasses import dataclass

from modelfleet.core import traffic
from modelfleet.core.decision import Decision, Facts
from modelfleet.core.policy import Policy
from modelfleet.core.rollout import Phase, Rollout


@dataclass(frozen=True, slots=True)
class Step:
    """The step that a rollout has come to."""

    facts: Facts
    policy: Policy
    rollout: Rollout

    @property
    def percent(self) -> int:
        """Return the share of the requests that is asked for."""
        return self._share(self.rollout.step)

    @property
    def pods(self) -> int | None:
        """Return how many canary pods there are to be: those that are there where the spec has no steps left."""
        if not self.policy.steps:
            return self.kept_pods
        return traffic.canary_pods(self.facts.replicas, self.percent, has_gateway=self.facts.route is not None)

    @property
    def kept_pods(self) -> int | None:
        """Return how many canary pods of the revision there are; None where there is no such canary."""
        canary = self.facts.canary
        return canary.replicas if canary and canary.revision == self.rollout.revision else None

    @property
    def has_pods(self) -> bool:
        """Return whether all pods are there and ready."""
        canary = self.facts.canary
        return canary is not None and self.pods == self.kept_pods and canary.settled

    @property
    def is_routed(self) -> bool:
        """Return whether a Gateway, if there is one, gives the pods their share."""
        return self.facts.route is None or self.facts.route.weight == self._weight(self.percent)

    @property
    def weight(self) -> int:
        """Return the share that a Gateway is to give now: until all pods are there, that of the step before."""
        match self.rollout.phase:
            case Phase.CANARY if not (self.rollout.ready_since or self.has_pods):
                return self._weight(self._share(self.rollout.step - 1))
            case Phase.CANARY | Phase.PROMOTING:
                return self._weight(self.percent)
            case _:
                return self._weight(0)

    @property
    def label(self) -> str:
        """Return the step in words, for messages."""
        share = traffic.share(self.pods or 0, self.facts.replicas)
        is_exact = self.facts.route is not None or share == self.percent
        amount = f"{self.percent} %" if is_exact else f"{self.percent} %, as {share} % of the pods"
        return f"Canary of {self.facts.label}, step {self.rollout.number} of {len(self.policy.steps)} ({amount})"

    def _share(self, index: int) -> int:
        """Return the share of a step, or of the last where the spec has fewer by now; before the first it is 0."""
        steps = self.policy.steps[: index + 1]
        return steps[-1] if steps else 0

    def _weight(self, percent: int) -> int:
        stable, canary = self.facts.stable, self.facts.canary
        return traffic.weight(
            percent,
            stable_answers=stable is not None and stable.count("availableReplicas") > 0,
            canary_answers=canary is not None and canary.count("availableReplicas") > 0,
        )


def weight_of(decision: Decision, facts: Facts, policy: Policy) -> int:
    """Return the share that a Gateway is to give the canary of a decision."""
    if decision.canary is None or decision.rollout is None:
        return 0
    return Step(facts, policy, decision.rollout).weight
