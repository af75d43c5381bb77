"""A canary is taken back for what it does, neither for an accident nor for what the stable pods do as well."""

from __future__ import annotations

import pytest

from modelfleet.core.analysis import Criteria, Judgement, Outcome, Sample, judge

ERRORS = Criteria(max_error_rate=0.01)
LATENCY = Criteria(max_latency_p99_s=0.25)
BOTH = Criteria(max_error_rate=0.01, max_latency_p99_s=0.25)
FINE = Sample(2000, 10, 10)


def reason(
    canary: Sample | None, stable: Sample | None, criteria: Criteria = ERRORS, *, early: bool = False
) -> str:
    return judge(canary, stable, criteria, early=early).reason


@pytest.mark.parametrize(
    ("errors", "expected"),
    [(0, "AnalysisPassed"), (2, "AnalysisPassed"), (6, "AnalysisPassed"), (7, "ErrorRateTooHigh")],
)
def test_at_the_end_a_canary_fails_by_what_chance_explains_in_less_than_one_of_a_hundred(
    errors: int, expected: str
) -> None:
    """Of 200 requests, with 1 % allowed, 6 or more fail by chance in 1.6 % of all windows, 7 or more in 0.4 %."""
    assert reason(Sample(200, errors), Sample(800, 4)) == expected


@pytest.mark.parametrize(("errors", "expected"), [(8, "AnalysisRunning"), (9, "ErrorRateTooHigh")])
def test_an_early_look_has_to_be_ten_times_surer(errors: int, expected: str) -> None:
    assert reason(Sample(200, errors), Sample(800, 4), early=True) == expected


def test_an_early_look_never_lets_a_canary_pass() -> None:
    assert judge(Sample(10**6), Sample(10**6), BOTH, early=True) == Judgement(
        Outcome.INCONCLUSIVE,
        "AnalysisRunning",
        "Nothing is certainly wrong so far: canary 0/1000000 errors (0 %) against stable 0/1000000 (0 %), "
        "1 % allowed; canary 0/1000000 slower than 250 ms (0 %) against stable 0/1000000 (0 %), 1 % allowed.",
    )


@pytest.mark.parametrize("early", [True, False])
def test_before_there_are_enough_requests_a_canary_may_fail_but_not_pass(early: bool) -> None:
    assert reason(Sample(40, 20), Sample(160), early=early) == "ErrorRateTooHigh"
    assert judge(Sample(40), Sample(160), ERRORS, early=early).outcome is Outcome.INCONCLUSIVE


def test_with_few_requests_the_end_of_a_step_is_as_careful_as_an_early_look() -> None:
    """A step that waits for requests is looked at again and again."""
    canary, stable = Sample(199, 7), Sample(800, 2)
    assert reason(canary, stable) == "TooFewRequests"
    assert reason(Sample(200, 7), stable) == "ErrorRateTooHigh"


def test_how_many_requests_are_enough_is_said_by_the_criteria() -> None:
    assert reason(Sample(20), FINE, Criteria(0.01, min_requests=20)) == "AnalysisPassed"
    assert reason(Sample(19), FINE, Criteria(0.01, min_requests=20)) == "TooFewRequests"
    assert reason(Sample(), Sample()) == "TooFewRequests"


@pytest.mark.parametrize("errors", [0, 1, 10])
def test_what_keeps_the_limit_passes_also_beside_stable_pods_that_do_not(errors: int) -> None:
    """It may be the cure."""
    assert reason(Sample(1000, errors), Sample(4000, 200)) == "AnalysisPassed"


@pytest.mark.parametrize("errors", [50, 60])
def test_beside_stable_pods_that_are_over_the_limit_a_canary_that_is_not_worse_neither_fails_nor_passes(
    errors: int,
) -> None:
    judgement = judge(Sample(1000, errors), Sample(4000, 200), ERRORS)
    assert (judgement.outcome, judgement.reason) == (Outcome.INCONCLUSIVE, "StableAlsoBad")


def test_beside_stable_pods_that_are_over_the_limit_a_canary_that_is_clearly_worse_fails() -> None:
    assert reason(Sample(1000, 150), Sample(4000, 200)) == "ErrorRateTooHigh"


def test_stable_pods_over_the_limit_by_chance_alone_are_no_reason_to_hold() -> None:
    """Of 800 requests 9 are more than 1 %, but nothing unusual for it."""
    assert reason(Sample(200, 1), Sample(800, 9)) == "AnalysisPassed"


@pytest.mark.parametrize(
    "stable",
    [
        pytest.param(Sample(10_000, 90), id="less than twice as many"),
        pytest.param(Sample(500, 4), id="perhaps by chance"),
        pytest.param(Sample(100, 0), id="too few stable requests to know"),
    ],
)
def test_a_canary_over_the_limit_that_is_not_clearly_worse_than_the_stable_pods_holds(stable: Sample) -> None:
    judgement = judge(Sample(10_000, 160) if stable.requests > 9000 else Sample(500, 12), stable, ERRORS)
    assert (judgement.outcome, judgement.reason) == (Outcome.INCONCLUSIVE, "NotClearlyWorse")


@pytest.mark.parametrize("stable", [None, Sample(), Sample(1), Sample(49)])
def test_without_stable_pods_to_compare_with_the_limit_alone_decides(stable: Sample | None) -> None:
    assert reason(Sample(500, 12), stable) == "ErrorRateTooHigh"
    assert reason(Sample(500, 9), stable) == "AnalysisPassed"
    assert reason(Sample(500, 12), stable, early=True) == "AnalysisRunning"
    assert reason(Sample(500, 15), stable, early=True) == "ErrorRateTooHigh"


def test_the_few_requests_of_stable_pods_that_failed_do_excuse_a_canary() -> None:
    assert reason(Sample(500, 12), Sample(20, 1)) == "NotClearlyWorse"
    assert reason(Sample(500, 12), Sample(20, 5)) == "StableAlsoBad"


@pytest.mark.parametrize("stable", [None, Sample(100_000)])
def test_one_or_two_failures_take_nothing_back_however_low_the_limit_is(stable: Sample | None) -> None:
    """One bad request that is sent again is not two accidents; it does not pass either."""
    strict = Criteria(max_error_rate=1e-6)
    assert [reason(Sample(200, errors), stable, strict) for errors in range(4)] == [
        "AnalysisPassed",
        "NotClearlyWorse",
        "NotClearlyWorse",
        "ErrorRateTooHigh",
    ]


def test_slow_requests_are_judged_like_errors_with_one_in_a_hundred_allowed() -> None:
    assert [reason(Sample(200, 0, slow), Sample(800, 0, 4), LATENCY) for slow in (6, 7)] == [
        "AnalysisPassed",
        "LatencyTooHigh",
    ]


@pytest.mark.parametrize(
    ("canary", "stable", "expected"),
    [
        (Sample(500, 50, 50), FINE, "ErrorRateTooHigh"),
        (Sample(500, 1, 50), FINE, "LatencyTooHigh"),
        (Sample(500, 50, 50), Sample(2000, 200, 5), "LatencyTooHigh"),
        (Sample(500, 1, 50), Sample(2000, 5, 200), "StableAlsoBad"),
        (Sample(500, 1, 1), FINE, "AnalysisPassed"),
    ],
)
def test_of_several_limits_a_failure_comes_first_and_then_what_cannot_be_decided(
    canary: Sample, stable: Sample, expected: str
) -> None:
    assert reason(canary, stable, BOTH) == expected


def test_what_is_not_asked_for_is_not_judged() -> None:
    bad = Sample(500, 500, 500)
    assert reason(bad, FINE, Criteria()) == "AnalysisPassed"
    assert judge(bad, FINE, Criteria()).message == "The analysis passed."
    assert reason(Sample(500, 0, 500), FINE, ERRORS) == "AnalysisPassed"


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(
    ("canary", "stable"),
    [
        (None, FINE),
        (None, None),
        (Sample(10, 11), FINE),
        (Sample(10, 0, 11), FINE),
        (FINE, Sample(10, 11)),
        (FINE, Sample(0, 0, 1)),
        (Sample(-1), FINE),
        (Sample(10**5000), FINE),
    ],
)
def test_what_cannot_have_been_counted_is_not_judged(
    canary: Sample | None, stable: Sample | None, early: bool
) -> None:
    assert judge(canary, stable, BOTH, early=early) == Judgement(
        Outcome.INCONCLUSIVE, "NotMeasured", "What the pods have answered is not known."
    )


@pytest.mark.parametrize(
    ("canary", "stable", "parts"),
    [
        (
            Sample(512, 14, 2),
            Sample(1490, 3, 7),
            [
                "Too many requests fail: canary 14/512 errors (2.7 %) against stable 3/1490 (0.2 %), 1 % ",
                "allowed, p=0.00081; canary 2/512 slower than 250 ms (0.4 %) against stable 7/1490 (0.5 %), 1 % ",
                "allowed.",
            ],
        ),
        (
            Sample(300, 100, 299),
            None,
            [
                "Too many requests fail: new revision 100/300 errors (33 %) with no stable requests to compare ",
                "with, 1 % allowed, p<0.0001; new revision 299/300 slower than 250 ms (100 %) with no stable ",
                "requests to compare with, 1 % allowed, p<0.0001.",
            ],
        ),
        (
            Sample(37),
            Sample(1_000_000, 2, 500),
            [
                "The new revision has answered 37 of the 200 requests that are needed: canary 0/37 errors (0 %) ",
                "against stable 2/1000000 (<0.001 %), 1 % allowed; canary 0/37 slower than 250 ms (0 %) ",
                "against stable 500/1000000 (0.05 %), 1 % allowed.",
            ],
        ),
        (
            Sample(),
            Sample(8, 8),
            [
                "The new revision has answered 0 of the 200 requests that are needed: canary 0/0 errors (no ",
                "requests) against stable 8/8 (100 %), 1 % allowed; canary 0/0 slower than 250 ms ",
                "(no requests) against stable 0/8 (0 %), 1 % allowed.",
            ],
        ),
    ],
)
def test_the_message_is_a_sentence_with_all_numbers(
    canary: Sample, stable: Sample | None, parts: list[str]
) -> None:
    assert judge(canary, stable, BOTH).message == "".join(parts)


@pytest.mark.parametrize(("rate", "bound_s", "shown"), [(0.07, 2.5, "7 %"), (0.0005, 1.0, "0.05 %")])
def test_limits_are_shown_as_they_were_written(rate: float, bound_s: float, shown: str) -> None:
    message = judge(FINE, FINE, Criteria(rate, bound_s)).message
    assert f", {shown} allowed" in message
    assert f"slower than {bound_s:g} s" in message
