"""The judge of a canary's answers: whether they differ more often than allowed from those of the stable pods.

The stable pods send copies of requests to the canary, compare, and count (``spec.rollout.analysis.shadow``).
"""

from __future__ import annotations

from dataclasses import replace

from modelfleet.core.analysis import (
    EARLY,
    FEWEST,
    FINAL,
    NOT_MEASURED,
    SEVERITY,
    Criteria,
    Judgement,
    Outcome,
    Part,
    chance_above,
    in_words,
)
from modelfleet.core.counters import Counters


def judge_answers(stable: Counters | None, criteria: Criteria, *, early: bool = False) -> Judgement | None:
    """Return whether the answers agree well enough, or None where nobody asks; ``early`` looks never say so."""
    allowed = criteria.max_disagreement
    if allowed is None:
        return None
    if stable is None:
        return NOT_MEASURED
    compared = Part(stable.differing, stable.compared)
    has_few = compared.requests < criteria.min_comparisons
    chance = chance_above(compared, allowed)
    outcome, reason, lead = _finding(compared.bad, chance, early=early, has_few=has_few)
    told = in_words(chance) if compared.rate > allowed else ""
    numbers = f"{compared} answers differ ({compared.percent}), {100 * allowed:g} % allowed{told}"
    needed = f", {criteria.min_comparisons} are needed" if has_few else ""
    return Judgement(outcome, reason, f"{lead}: {numbers}{needed}.")


def worse(one: Judgement | None, other: Judgement | None) -> Judgement | None:
    """Return both as one, which is as bad as the worse of them, and has the numbers of both."""
    if one is None or other is None:
        return one or other
    first, second = sorted((one, other), key=lambda judgement: SEVERITY.index(judgement.outcome), reverse=True)
    same = first.message == second.message
    return first if same else replace(first, message=f"{first.message} {second.message}")


def _finding(differing: int, chance: float, *, early: bool, has_few: bool) -> tuple[Outcome, str, str]:
    if chance < (EARLY if early or has_few else FINAL):
        if differing >= FEWEST:
            return Outcome.FAIL, "AnswersDiffer", "The new revision answers otherwise than the stable pods"
        return Outcome.INCONCLUSIVE, "NotClearlyWorse", "Too little shows that answers differ"
    if early:
        return Outcome.INCONCLUSIVE, "AnalysisRunning", "No answers differ beyond chance so far"
    if has_few:
        return Outcome.INCONCLUSIVE, "TooFewComparisons", "Too few answers have been compared"
    return Outcome.PASS, "AnalysisPassed", "The answers agree"
