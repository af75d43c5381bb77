"""The judge of a canary: whether a new revision fails or is slow more often than allowed, and than the stable one.

A limit is exceeded by chance alone, too: where one request in 200 fails, more than 1 % of 200 do in every twelfth
window. So what decides is how likely such numbers are, and what the stable pods answered in the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import exp, lgamma, log, log1p

from modelfleet.core.counters import Counters

Sample = Counters
"""What some pods answered in a window: requests that count, how many of them failed, and how many were slow."""

FINAL, EARLY = 0.01, 0.001
"""What is less likely than this is no accident. A step is looked at often, so early looks have to be surer."""
TIMES_WORSE = 2
"""With many requests any difference is certain; one that is smaller than this is not worth going back for."""
FEWEST = 3
"""One bad request that its client sends again is one fact, however unlikely two failures are by the numbers."""
SILENT = 10
"""Stable pods that answered so many times less than the canary are nothing to compare with."""
SLOW_ALLOWED = 0.01
"""The share of slow requests that a p99 allows: no quantile has to be guessed between the bounds of buckets."""

_COUNTABLE = 2**53
"""Metrics are floats: beyond this no count is one."""
_SUMMED = 10**8
"""More requests than these are scaled down to them, so that sums end soon; the verdict is as clear."""
_NEGLIGIBLE = 1e-17


@dataclass(frozen=True, slots=True)
class Criteria:
    """What ``spec.rollout.analysis`` asks of the counters. None: not asked for.

    ``max_disagreement`` is how many of the compared answers may differ, as a part of them.
    """

    max_error_rate: float | None = None
    max_latency_p99_s: float | None = None
    min_requests: int = 200
    max_disagreement: float | None = None
    min_comparisons: int = 0


class Outcome(StrEnum):
    """What a judgement means for the rollout: go on, go back, or hold."""

    PASS = "Pass"  # noqa: S105  no password
    FAIL = "Fail"
    INCONCLUSIVE = "Inconclusive"


@dataclass(frozen=True, slots=True)
class Judgement:
    """An outcome, its stable reason, and a sentence with the numbers."""

    outcome: Outcome
    reason: str
    message: str


NOT_MEASURED = Judgement(Outcome.INCONCLUSIVE, "NotMeasured", "What the pods have answered is not known.")


@dataclass(frozen=True, slots=True)
class Part:
    """How many of some requests were bad."""

    bad: int
    requests: int

    def __str__(self) -> str:
        return f"{self.bad}/{self.requests}"

    @property
    def rate(self) -> float:
        return self.bad / self.requests if self.requests else 0.0

    @property
    def percent(self) -> str:
        return _percent(self.rate) if self.requests else "no requests"


@dataclass(frozen=True, slots=True)
class _Question:
    """Whether a canary is bad in one respect; what is less likely than ``level`` is no accident."""

    kind: str
    failure: str
    allowed: float
    canary: Part
    stable: Part | None
    level: float


@dataclass(frozen=True, slots=True)
class _Finding:
    reason: str
    numbers: str


_OUTCOMES = {
    "AnalysisPassed": Outcome.PASS,
    "ErrorRateTooHigh": Outcome.FAIL,
    "LatencyTooHigh": Outcome.FAIL,
}
SEVERITY = (Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL)
_LEADS = {
    "AnalysisPassed": "The analysis passed",
    "AnalysisRunning": "Nothing is certainly wrong so far",
    "ErrorRateTooHigh": "Too many requests fail",
    "LatencyTooHigh": "Too many requests are slow",
    "StableAlsoBad": "The stable pods are above the limit themselves, so they are no measure for it",
    "TooFewRequests": "The new revision has answered {given} of the {needed} requests that are needed",
    "NotClearlyWorse": "The limit is exceeded, but too little shows that this comes with the new revision",
}


def judge(canary: Sample | None, stable: Sample | None, criteria: Criteria, *, early: bool = False) -> Judgement:
    """Return whether the canary is good enough; ``early`` looks, in the middle of a window, never let it pass.

    It fails when its rate is above the limit and above that of the stable pods, neither of them by chance. One
    that is above the limit beyond chance never passes. With fewer requests than asked for, whatever the time, it
    may fail as in an early look but not pass: pods that break while a step waits for requests must not go on.

    Without stable pods, or where they answered next to nothing and nothing badly, the limit alone decides: it is
    what users were promised, and going back from a good revision costs less than failing them until a person
    comes. A caller whom the stable pods do not tell what they answered has to give None for the canary too.
    """
    if canary is None or not _is_possible(canary) or not (stable is None or _is_possible(stable)):
        return NOT_MEASURED
    has_few = canary.requests < criteria.min_requests
    level = EARLY if early or has_few else FINAL
    beside = stable if stable and stable.requests else None
    findings = [_finding(question) for question in _questions(canary, beside, criteria, level)]
    worst = max((finding.reason for finding in findings), key=_severity, default="AnalysisPassed")
    if worst == "AnalysisPassed" and (early or has_few):
        worst = "AnalysisRunning" if early else "TooFewRequests"
    lead = _LEADS[worst].format(given=canary.requests, needed=criteria.min_requests)
    numbers = "; ".join(finding.numbers for finding in findings)
    return Judgement(_outcome(worst), worst, f"{lead}: {numbers}." if numbers else f"{lead}.")


def binomial_tail(hits: int, trials: int, chance: float) -> float:
    """Return the chance of so many hits or more; for more hits than are to be expected."""
    if hits <= 0 or chance >= 1:
        return 1.0
    if chance <= 0:
        return 0.0
    first = _log_choices(trials, hits) + hits * log(chance) + (trials - hits) * log1p(-chance)
    odds = chance / (1 - chance)
    return _tail(first, ((trials - i) / (i + 1) * odds for i in range(hits, trials)))


def fisher_tail(bad: int, requests: int, others_bad: int, others: int) -> float:
    """Return the chance that so many or more of all bad requests are among ours, if it made no difference whose.

    This is the one-sided exact test of Fisher, for more bad ones than are to be expected.
    """
    both = bad + others_bad
    first = _log_choices(requests, bad) + _log_choices(others, others_bad) - _log_choices(requests + others, both)
    last = min(requests, both)
    ratios = ((requests - i) * (both - i) / ((i + 1) * (others - both + i + 1)) for i in range(bad, last))
    return _tail(first, ratios)


def _outcome(reason: str) -> Outcome:
    return _OUTCOMES.get(reason, Outcome.INCONCLUSIVE)


def _severity(reason: str) -> int:
    return SEVERITY.index(_outcome(reason))


def _is_possible(sample: Sample) -> bool:
    """Return whether counters can have grown so; they cannot where one of them began anew."""
    return 0 <= sample.errors <= sample.requests < _COUNTABLE and 0 <= sample.slow <= sample.requests


def _questions(canary: Sample, stable: Sample | None, criteria: Criteria, level: float) -> Iterator[_Question]:
    if (allowed := criteria.max_error_rate) is not None:
        ours = Part(canary.errors, canary.requests)
        theirs = Part(stable.errors, stable.requests) if stable else None
        yield _Question("errors", "ErrorRateTooHigh", allowed, ours, theirs, level)
    if (bound_s := criteria.max_latency_p99_s) is not None:
        ours = Part(canary.slow, canary.requests)
        theirs = Part(stable.slow, stable.requests) if stable else None
        yield _Question(f"slower than {_time(bound_s)}", "LatencyTooHigh", SLOW_ALLOWED, ours, theirs, level)


def _finding(asked: _Question) -> _Finding:
    chance = chance_above(asked.canary, asked.allowed)
    is_over = is_worse = chance < asked.level
    if is_over and (other := _comparable(asked)):
        chance = max(chance, _chance_beside(asked.canary, other))
        is_worse = chance < asked.level and _is_worse(asked.canary, other, TIMES_WORSE)
    numbers = _numbers(asked, chance)
    if is_worse and asked.canary.bad >= FEWEST:
        return _Finding(asked.failure, numbers)
    if not is_over:
        return _Finding("AnalysisPassed", numbers)
    is_stable_over = asked.stable and chance_above(asked.stable, asked.allowed) < asked.level
    return _Finding("StableAlsoBad" if is_stable_over else "NotClearlyWorse", numbers)


def _comparable(asked: _Question) -> Part | None:
    """Return the stable pods' part, unless it is too small to excuse or accuse anybody."""
    stable = asked.stable
    if stable is None or (stable.bad == 0 and stable.requests * SILENT < asked.canary.requests):
        return None
    return stable


def chance_above(part: Part, allowed: float) -> float:
    """Return the chance of a rate as high as this if the true one were just allowed; 1 where it is allowed."""
    if part.rate <= allowed:
        return 1.0
    small = _scaled(part)
    return binomial_tail(small.bad, small.requests, allowed)


def _chance_beside(canary: Part, stable: Part) -> float:
    """Return the chance that the canary is so much worse than the stable pods if they were alike."""
    if not _is_worse(canary, stable, 1):
        return 1.0
    ours, theirs = _scaled(canary), _scaled(stable)
    return fisher_tail(ours.bad, ours.requests, theirs.bad, theirs.requests)


def _is_worse(canary: Part, stable: Part, times: int) -> bool:
    return canary.bad * stable.requests >= times * stable.bad * canary.requests


def _scaled(part: Part) -> Part:
    if part.requests <= _SUMMED:
        return part
    return Part(part.bad * _SUMMED // part.requests, _SUMMED)


def _log_choices(items: int, chosen: int) -> float:
    return lgamma(items + 1) - lgamma(chosen + 1) - lgamma(items - chosen + 1)


def _tail(log_first: float, ratios: Iterable[float]) -> float:
    """Return the sum of terms that fall, each being the one before times a ratio, up to one that adds nothing."""
    total = term = 1.0
    for ratio in ratios:
        term *= ratio
        total += term
        if term < total * _NEGLIGIBLE:
            break
    return min(1.0, exp(log_first) * total)


def _numbers(asked: _Question, chance: float) -> str:
    canary, stable = asked.canary, asked.stable
    ours = f"{'canary' if stable else 'new revision'} {canary} {asked.kind} ({canary.percent})"
    beside = f"against stable {stable} ({stable.percent})" if stable else "with no stable requests to compare with"
    by_chance = in_words(chance) if canary.rate > asked.allowed else ""
    return f"{ours} {beside}, {100 * asked.allowed:g} % allowed{by_chance}"


def in_words(chance: float) -> str:
    """Return how likely it is that chance alone made a number, as the end of what is told of it."""
    return f", p={chance:.2g}" if chance >= 0.0001 else ", p<0.0001"


def _percent(rate: float) -> str:
    """Return a rate as people say it: 0.02 %, 2.7 %, 34 %."""
    percent = 100 * rate
    if 0 < percent < 0.001:
        return "<0.001 %"
    if percent >= 10:
        return f"{percent:.0f} %"
    return f"{percent:.{1 if percent >= 0.1 else 3}f}".rstrip("0").rstrip(".") + " %"


def _time(seconds: float) -> str:
    return f"{1000 * seconds:g} ms" if seconds < 1 else f"{seconds:g} s"
