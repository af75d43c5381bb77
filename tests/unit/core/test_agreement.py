"""A canary that answers otherwise than the stable pods is found, and one that does so by chance is not."""

import pytest

from modelfleet.core.agreement import judge_answers, worse
from modelfleet.core.analysis import Criteria, Judgement, Outcome
from modelfleet.core.counters import Counters

CRITERIA = Criteria(max_disagreement=0.01, min_comparisons=20)


def judged(compared: int, differing: int, *, early: bool = False) -> Judgement:
    found = judge_answers(Counters(compared=compared, differing=differing), CRITERIA, early=early)
    assert found
    return found


@pytest.mark.parametrize(
    ("compared", "differing", "early", "outcome", "reason"),
    [
        (20, 0, False, Outcome.PASS, "AnalysisPassed"),
        (500, 6, False, Outcome.PASS, "AnalysisPassed"),
        (500, 13, False, Outcome.FAIL, "AnswersDiffer"),
        (500, 500, True, Outcome.FAIL, "AnswersDiffer"),
        (5, 5, False, Outcome.FAIL, "AnswersDiffer"),
        (500, 0, True, Outcome.INCONCLUSIVE, "AnalysisRunning"),
        (0, 0, True, Outcome.INCONCLUSIVE, "AnalysisRunning"),
        (19, 0, False, Outcome.INCONCLUSIVE, "TooFewComparisons"),
        (0, 0, False, Outcome.INCONCLUSIVE, "TooFewComparisons"),
        (2, 2, False, Outcome.INCONCLUSIVE, "NotClearlyWorse"),
    ],
)
def test_answers_are_judged_by_how_many_differ(
    compared: int, differing: int, early: bool, outcome: Outcome, reason: str
) -> None:
    found = judged(compared, differing, early=early)
    assert (found.outcome, found.reason) == (outcome, reason)


def test_the_numbers_are_told() -> None:
    assert judged(500, 50).message == (
        "The new revision answers otherwise than the stable pods: "
        "50/500 answers differ (10 %), 1 % allowed, p<0.0001."
    )
    assert judged(7, 0).message == (
        "Too few answers have been compared: 0/7 answers differ (0 %), 1 % allowed, 20 are needed."
    )


def test_what_is_not_known_is_no_verdict_and_what_nobody_asks_for_is_none() -> None:
    unknown = judge_answers(None, CRITERIA)
    assert unknown
    assert unknown.reason == "NotMeasured"
    assert judge_answers(Counters(compared=10, differing=10), Criteria()) is None


def test_of_two_judgements_the_worse_one_counts_and_both_are_told() -> None:
    good, bad = (
        Judgement(Outcome.PASS, "AnalysisPassed", "Fine."),
        Judgement(Outcome.FAIL, "AnswersDiffer", "Bad."),
    )
    assert worse(good, bad) == worse(bad, good) == Judgement(Outcome.FAIL, "AnswersDiffer", "Bad. Fine.")
    assert worse(None, good) == worse(good, None) == worse(good, good) == good
    assert worse(None, None) is None
