"""What holds of the judge for any numbers: its chances are exact, worse is never better, and nothing raises."""

from __future__ import annotations

import time
from fractions import Fraction
from math import comb
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelfleet.core.analysis import Criteria, Outcome, Sample, binomial_tail, fisher_tail, judge

BOTH = Criteria(max_error_rate=0.01, max_latency_p99_s=0.25)
ORDER = [Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL]
TEN_MILLION = 10**7

counts = st.integers(0, 2**70) | st.integers(0, 2000)
anything = st.builds(Sample, counts, counts, counts)
rates = st.none() | st.floats(0, 1)


@st.composite
def samples(draw: st.DrawFn, most: int = 3000) -> Sample:
    """What pods may have answered; mostly little of it is bad."""
    requests = draw(st.integers(0, most))
    bad = st.integers(0, requests) | st.integers(0, requests // 20)
    return Sample(requests, draw(bad), draw(bad))


criteria = st.builds(Criteria, rates, st.none() | st.floats(0.001, 30), st.integers(1, 500))


def exact_binomial(hits: int, trials: int, chance: Fraction) -> Fraction:
    few = sum((comb(trials, n) * chance**n * (1 - chance) ** (trials - n) for n in range(hits)), Fraction())
    return 1 - few


def exact_fisher(bad: int, requests: int, others_bad: int, others: int) -> Fraction:
    both = bad + others_bad
    ways = sum(comb(requests, n) * comb(others, both - n) for n in range(bad, min(requests, both) + 1))
    return Fraction(ways, comb(requests + others, both))


@pytest.mark.parametrize(
    ("hits", "trials", "chance"),
    [
        (1, 1, "1/100"),
        (7, 200, "1/100"),
        (14, 512, "1/100"),
        (60, 1000, "1/20"),
        (3, 3, "1/2"),
        (40, 300, "1/1000"),
    ],
)
def test_the_binomial_test_is_exact(hits: int, trials: int, chance: str) -> None:
    expected = exact_binomial(hits, trials, Fraction(chance))
    assert binomial_tail(hits, trials, float(Fraction(chance))) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize(
    "numbers",
    [(14, 512, 3, 1490), (7, 200, 4, 800), (3, 3, 0, 12), (1, 1, 0, 1), (50, 50, 50, 1000), (5, 100, 0, 100)],
)
def test_the_test_of_fisher_is_exact(numbers: tuple[int, int, int, int]) -> None:
    assert fisher_tail(*numbers) == pytest.approx(float(exact_fisher(*numbers)), rel=1e-9)


def test_the_tea_is_told_from_the_milk_as_it_was_by_fisher() -> None:
    """His own example: of 8 cups, 4 had the milk first, and 3 of these were recognized: 17 in 70."""
    assert fisher_tail(3, 4, 1, 4) == pytest.approx(17 / 70)


@given(samples(200), samples(200))
@settings(max_examples=50)
def test_the_chances_are_exact_for_all_small_numbers(ours: Sample, theirs: Sample) -> None:
    bad, requests, others_bad, others = ours.errors, ours.requests, theirs.errors, theirs.requests
    if bad * 100 > requests:
        expected = exact_binomial(bad, requests, Fraction(1, 100))
        assert binomial_tail(bad, requests, 0.01) == pytest.approx(float(expected), rel=1e-9)
    if bad * others >= others_bad * requests:
        assert fisher_tail(bad, requests, others_bad, others) == pytest.approx(
            float(exact_fisher(bad, requests, others_bad, others)), rel=1e-9
        )


def test_ten_million_requests_are_judged_as_the_normal_distribution_says() -> None:
    """That one has no skew, which is the fiftieth part of so small a chance."""
    above = NormalDist(100_000, (100_000 * 0.99) ** 0.5)
    assert binomial_tail(100_944, TEN_MILLION, 0.01) == pytest.approx(1 - above.cdf(100_943.5), rel=0.02)
    both = 101_335 + 100_000
    beside = NormalDist(both / 2, (both / 4 * (1 - both / 2 / TEN_MILLION)) ** 0.5)
    chance = fisher_tail(101_335, TEN_MILLION, 100_000, TEN_MILLION)
    assert chance == pytest.approx(1 - beside.cdf(101_334.5), rel=0.02)


@pytest.mark.parametrize("rate", [0.5, 0.01, 0.000_001])
def test_no_number_of_requests_takes_long(rate: float) -> None:
    requests = 2**53 - 1
    worst = Sample(requests, int(requests * rate) + requests // 10**8, 0)
    before = time.process_time()
    judge(worst, Sample(requests, int(requests * rate / 3)), Criteria(rate))
    assert time.process_time() - before < 0.5


@given(st.none() | anything | samples(), st.none() | anything | samples(), criteria, st.booleans())
def test_it_never_raises_and_always_says_something(
    canary: Sample | None, stable: Sample | None, asked: Criteria, early: bool
) -> None:
    judgement = judge(canary, stable, asked, early=early)
    assert judgement.message[0].isupper()
    assert judgement.message.endswith(".")
    assert judgement.reason.isalpha()
    assert not (early and judgement.outcome is Outcome.PASS)


@given(samples(), st.none() | samples(), criteria, st.booleans(), st.integers(0, 3000), st.integers(0, 3000))
def test_a_canary_that_is_worse_is_never_judged_better(
    canary: Sample, stable: Sample | None, asked: Criteria, early: bool, errors: int, slow: int
) -> None:
    worse = Sample(
        canary.requests,
        min(canary.requests, canary.errors + errors),
        min(canary.requests, canary.slow + slow),
    )
    before, after = (judge(sample, stable, asked, early=early).outcome for sample in (canary, worse))
    assert ORDER.index(before) <= ORDER.index(after)


@given(samples(), samples(), st.booleans())
def test_ten_times_the_same_is_a_clearer_case_and_never_the_opposite(
    canary: Sample, stable: Sample, early: bool
) -> None:
    more, beside = (Sample(10 * s.requests, 10 * s.errors, 10 * s.slow) for s in (canary, stable))
    before, after = judge(canary, stable, BOTH, early=early), judge(more, beside, BOTH, early=early)
    if before.outcome is Outcome.FAIL:
        assert after.outcome is Outcome.FAIL


@given(samples(), st.none() | samples(), st.booleans())
def test_errors_and_slow_requests_are_judged_alike(canary: Sample, stable: Sample | None, early: bool) -> None:
    turned, beside = (s and Sample(s.requests, s.slow, s.errors) for s in (canary, stable))
    errors = judge(canary, stable, Criteria(max_error_rate=0.01), early=early)
    slow = judge(turned, beside, Criteria(max_latency_p99_s=0.25), early=early)
    assert errors.outcome is slow.outcome


@given(samples(), samples(), st.floats(0.001, 0.5))
def test_a_canary_over_the_limit_beyond_chance_never_passes(
    canary: Sample, stable: Sample, allowed: float
) -> None:
    over = (
        canary.errors > allowed * canary.requests and binomial_tail(canary.errors, canary.requests, allowed) < 0.01
    )
    if over:
        assert judge(canary, stable, Criteria(allowed)).outcome is not Outcome.PASS
