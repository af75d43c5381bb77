"""What a run of a model is likely to take."""

from __future__ import annotations

import pytest

from modelserver.scheduling.costs import Costs


def test_nothing_is_guessed_for_a_size_that_was_never_run() -> None:
    costs = Costs()
    costs.learn(100, 0.001)
    assert costs.of(1000) == float("inf")


def test_sizes_within_a_power_of_two_count_as_one() -> None:
    costs = Costs()
    costs.learn(64, 0.001)
    assert costs.of(127) == 0.001
    assert costs.of(128) == float("inf")


def test_a_run_that_something_else_held_up_says_little() -> None:
    costs = Costs()
    for seconds in (0.0001, 0.1):
        costs.learn(10, seconds)
    assert costs.of(10) == pytest.approx(0.000125)


def test_runs_that_stay_slow_are_believed_and_so_are_some_quick_ones() -> None:
    costs = Costs()
    for seconds in (0.0001, *[0.1] * 40):
        costs.learn(10, seconds)
    assert costs.of(10) == 0.1
    for _ in range(10):
        costs.learn(10, 0.0001)
    assert costs.of(10) == pytest.approx(0.0002, rel=0.1)
