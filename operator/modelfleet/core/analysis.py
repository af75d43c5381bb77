"""Analysis: whether a canary is worse than the stable pods beside it, by what both answered in the same time.

A plain "at most 1 % errors" is a coin flip at low traffic: a healthy canary with 0.5 % errors breaks it in 8 of 100
looks at 200 requests. So a canary fails only where chance is no explanation (docs/analysis.md has the numbers).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import exp, lgamma, log, log1p

from modelfleet.core.counters import Counters

LEVEL = 0.01
"""How unlikely chance has to be as an explanation, at the end of a step."""
EARLY_LEVEL = 0.001
"""The same for each of many looks while it lasts, which add up."""
EARLY_REQUESTS = 50
"""Fewer are no sample: one client with one bad input makes them all."""
WORSE = 2
"""How many times the share of the stable pods a canary's has to be."""
SLOW_CEILING = 0.01
"""What p99 means: the share of requests that may take longer."""


class Outcome(StrEnum):
    """What is to become of a canary: go on, go back, or hold because too little is known."""

    PASS = "Pass"  # noqa: S105  no password
    FAIL = "Fail"
    INCONCLUSIVE = "Inconclusive"


@dataclass(frozen=True, slots=True)
class Criteria:
    """What is too bad, as ``spec.rollout.analysis`` says it; None is not asked for. 0.01 is 1 %."""

    max_error_rate: float | None = None
    max_latency_p99_s: float | None = None
    min_requests: int = 200


@dataclass(frozen=True, slots=True)
class Judgement:
    """The outcome, with one stable word and a sentence with the numbers."""

    outcome: Outcome
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class _Share:
    """How many of the requests of both tracks were bad in one respect, and how many may be."""

    name: str
    reason: str
    ceiling: float
    canary: tuple[int, int]
    stable: tuple[int, int]

    def outcome(self, level: float) -> Outcome:
        """Return Fail where the canary is over the ceiling and worse than stable, and neither may be chance."""
        bad, requests = self.canary
        if binomial_tail(bad, requests, self.ceiling) >= level:
            return Outcome.PASS
        if not self.stable[1]:
            return Outcome.FAIL  # nothing is there to compare with, and the ceiling holds for itself
        is_worse = _rate(self.canary) >= WORSE * _rate(self.stable)
        is_chance = fisher_tail(self.canary, self.stable) >= level
        return Outcome.FAIL if is_worse and not is_chance else Outcome.INCONCLUSIVE

    def __str__(self) -> str:
        beside = f", and {_told(self.stable)} stable ones" if self.stable[1] else ""
        limit = f"{_percent(self.ceiling)} is the limit"
        return f"{_told(self.canary)} canary requests {self.name}{beside} ({limit})"


def judge(
    canary: Counters | None, stable: Counters | None, criteria: Criteria, *, early: bool = False
) -> Judgement:
    """Return the judgement on a canary by what both tracks have counted since the step began.

    None is what could not be read. An ``early`` look, while the step lasts, is stricter and never passes. Where stable
    pods had no requests at all the ceiling alone decides; where both are equally bad, nothing does.
    """
    if canary is None or stable is None or not (_is_possible(canary) and _is_possible(stable)):
        return Judgement(Outcome.INCONCLUSIVE, "NotMeasured", "the counters of the pods could not be read.")
    needed = min(criteria.min_requests, EARLY_REQUESTS) if early else criteria.min_requests
    if canary.requests < needed:
        message = (
            f"the canary has answered {canary.requests} requests of the {criteria.min_requests} that are needed."
        )
        return Judgement(Outcome.INCONCLUSIVE, "TooFewRequests", message)
    return _judge(list(_shares(canary, stable, criteria)), early=early)


def _judge(shares: list[_Share], *, early: bool) -> Judgement:
    level = EARLY_LEVEL if early else LEVEL
    outcomes = {share: share.outcome(level) for share in shares}
    message = "; ".join(map(str, shares)) + "."
    if failed := next((share for share, found in outcomes.items() if found is Outcome.FAIL), None):
        return Judgement(Outcome.FAIL, failed.reason, f"{failed}.")
    if Outcome.INCONCLUSIVE in outcomes.values():
        return Judgement(Outcome.INCONCLUSIVE, "StableAlsoBad", message)
    if early:
        return Judgement(Outcome.INCONCLUSIVE, "TooEarly", message)
    return Judgement(Outcome.PASS, "AnalysisPassed", message)


def _shares(canary: Counters, stable: Counters, criteria: Criteria) -> Iterator[_Share]:
    counts = (canary.requests, stable.requests)
    if criteria.max_error_rate is not None:
        errors = ((canary.errors, counts[0]), (stable.errors, counts[1]))
        yield _Share("failed", "ErrorRateTooHigh", criteria.max_error_rate, *errors)
    if criteria.max_latency_p99_s is not None:
        slow = ((canary.slow, counts[0]), (stable.slow, counts[1]))
        name = f"took longer than {criteria.max_latency_p99_s * 1000:g} ms"
        yield _Share(name, "LatencyTooHigh", SLOW_CEILING, *slow)


def binomial_tail(hits: int, trials: int, chance: float) -> float:
    """Return how likely so many hits, or more, are; 1 where no more are there than are to be expected."""
    if hits <= trials * chance:
        return 1.0
    first = _choices(trials, hits) + hits * log(chance) + (trials - hits) * log1p(-chance)
    odds = chance / (1 - chance)
    return _sum(exp(first), (odds * (trials - n) / (n + 1) for n in range(hits, trials)))


def fisher_tail(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Return how likely ``one`` has so many of all hits, or more, if both have the same chance; 1 where it has no more
    than its part. Each is hits and trials.
    """
    (hits, trials), (other_hits, other_trials) = one, other
    every, whole = hits + other_hits, trials + other_trials
    if hits * whole <= every * trials:
        return 1.0
    first = _choices(trials, hits) + _choices(other_trials, other_hits) - _choices(whole, every)
    ratios = (
        (trials - n) * (every - n) / ((n + 1) * (other_trials - every + n + 1))
        for n in range(hits, min(trials, every))
    )
    return _sum(exp(first), ratios)


def _sum(first: float, ratios: Iterator[float]) -> float:
    """Return the sum of terms of which each is a multiple of the one before, as far as they matter."""
    term = total = first
    for ratio in ratios:
        term *= ratio
        total += term
        if term < total * 1e-12:
            break
    return min(1.0, total)


def _choices(of: int, some: int) -> float:
    """Return the logarithm of in how many ways some of them can be chosen."""
    return lgamma(of + 1) - lgamma(some + 1) - lgamma(of - some + 1)


def _is_possible(counted: Counters) -> bool:
    return 0 <= counted.errors <= counted.requests and 0 <= counted.slow <= counted.requests


def _rate(share: tuple[int, int]) -> float:
    return share[0] / share[1] if share[1] else 0.0


def _told(share: tuple[int, int]) -> str:
    return f"{share[0]} of {share[1]} ({_percent(_rate(share))})"


def _percent(rate: float) -> str:
    percent = 100 * rate
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"
