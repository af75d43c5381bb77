"""The window of a step: what the pods have counted since it began, and the judgement on that."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from modelfleet.core import traffic
from modelfleet.core.agreement import judge_answers, worse
from modelfleet.core.analysis import Criteria, Judgement, Outcome, judge
from modelfleet.core.conditions import timestamp
from modelfleet.core.counters import NOTHING, Counters, since
from modelfleet.core.decision import Counts
from modelfleet.core.policy import Policy
from modelfleet.core.rollout import Phase, Rollout


def wants_counts(rollout: Rollout | None, policy: Policy | None, now: datetime) -> bool:
    """Return whether a decision would look at the pods' counters."""
    if rollout is None or policy is None or rollout.failure:
        return False
    if rollout.phase is Phase.BAKING:
        return policy.criteria is not None
    ends = rollout.ready_since and rollout.ready_since + policy.pause <= now
    return rollout.phase is Phase.CANARY and bool(policy.criteria or not rollout.baseline or ends)


def judge_canary(
    counts: Counts, rollout: Rollout, criteria: Criteria | None, *, is_early: bool
) -> Judgement | None:
    """Return the judgement on the canary beside the stable pods, or None where none is asked for."""
    if criteria is None:
        return None
    canary, stable = _growth(counts, rollout)
    is_counted = criteria.max_error_rate is not None or criteria.max_latency_p99_s is not None
    by_counts = judge(canary, stable, criteria, early=is_early) if is_counted else None
    return worse(by_counts, judge_answers(stable, criteria, early=is_early))


def judge_bake(counts: Counts, rollout: Rollout, criteria: Criteria | None) -> Judgement | None:
    """Return the judgement on the new revision alone, since there is no other left to compare it with."""
    if not criteria or rollout.baseline is None or counts.stable is None:
        return None
    return judge(since(counts.stable, rollout.baseline), NOTHING, criteria, early=True)


def request_percent(counts: Counts, rollout: Rollout) -> int | None:
    """Return which share of the requests the canary has answered, where that is known."""
    canary, stable = _growth(counts, rollout)
    return traffic.share(canary.requests, stable.requests) if canary and stable else None


def has_passed(rollout: Rollout) -> bool:
    """Return whether the step was judged to be good already."""
    before = rollout.analysis
    return (before.get("step"), before.get("outcome")) == (rollout.number, Outcome.PASS)


def noted(rollout: Rollout, judgement: Judgement, now: datetime) -> Rollout:
    """Remember a judgement; the numbers behind one that stays the same are no news."""
    before = tuple(map(rollout.analysis.get, ("step", "outcome", "reason")))
    if before == (rollout.number, judgement.outcome, judgement.reason):
        return rollout
    analysis = {
        "step": rollout.number,
        "outcome": str(judgement.outcome),
        "reason": judgement.reason,
        "message": judgement.message,
        "checkedAt": timestamp(now),
    }
    return replace(rollout, analysis=analysis)


def _growth(counts: Counts, rollout: Rollout) -> tuple[Counters | None, Counters | None]:
    """Return what canary and stable have counted since the step began; both None where one is not known."""
    if counts.canary is None or counts.stable is None or rollout.baseline is None:
        return None, None
    return since(counts.canary, rollout.baseline), since(counts.stable, rollout.baseline)
