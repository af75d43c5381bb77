"""A cluster is given up after a few failures in a row, and well again after one answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from modelfleet.core.inventory.site import State
from modelfleet.core.inventory.standing import Standing, unknown

T0 = datetime(2026, 1, 1, tzinfo=UTC)
WELL = Standing(State.REACHABLE, T0)


def at(seconds: int) -> datetime:
    return T0 + timedelta(seconds=seconds)


def failed(standing: Standing, *seconds: int, patience: int = 3) -> Standing:
    for second in seconds:
        standing = standing.failed(at(second), "Unreachable", f"failed at {second}", patience)
    return standing


def test_what_nobody_has_seen_yet_is_not_reachable() -> None:
    assert unknown(T0).state is State.UNREACHABLE


def test_two_failures_are_forgiven_and_not_told() -> None:
    standing = failed(WELL, 10, 20)
    assert (standing.state, standing.since, standing.reason) == (State.REACHABLE, T0, "")


def test_the_third_failure_is_told_and_dated_back_to_the_first() -> None:
    standing = failed(WELL, 10, 20, 30)
    assert (standing.state, standing.since) == (State.UNREACHABLE, at(10))
    assert (standing.reason, standing.message) == ("Unreachable", "failed at 30")


def test_failures_before_an_answer_do_not_count() -> None:
    standing = failed(failed(WELL, 10, 20).answered(at(30)), 40, 50)
    assert (standing.state, standing.since) == (State.REACHABLE, T0)
    assert failed(standing, 60).since == at(40)


def test_without_patience_one_failure_is_enough() -> None:
    assert failed(WELL, 10, patience=1).state is State.UNREACHABLE


def test_one_that_stays_unreachable_tells_the_latest_message_and_since_when() -> None:
    standing = failed(WELL, 10, 20, 30, 40)
    assert (standing.since, standing.message) == (at(10), "failed at 40")


def test_one_answer_is_enough() -> None:
    assert failed(WELL, 10, 20, 30).answered(at(40)) == Standing(State.REACHABLE, at(40))


@given(st.lists(st.booleans()), st.integers(1, 5))
def test_it_is_unreachable_exactly_after_so_many_failures_in_a_row_and_until_an_answer(
    answers: list[bool], patience: int
) -> None:
    standing, run = WELL, 0
    for second, is_answer in enumerate(answers):
        standing = standing.answered(at(second)) if is_answer else failed(standing, second, patience=patience)
        run = 0 if is_answer else run + 1
        assert (standing.state is State.UNREACHABLE) == (run >= patience)
        assert (run >= patience) == bool(standing.message)
