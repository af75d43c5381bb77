"""A run that takes too long is interrupted, but never within a message."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from modelserver.handlers.worker.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def deadline() -> Iterator[Deadline]:
    before = signal.getsignal(signal.SIGALRM)
    yield Deadline()
    signal.signal(signal.SIGALRM, before)


def test_what_takes_longer_is_interrupted(deadline: Deadline) -> None:
    with pytest.raises(TimeoutError), deadline.after(0.01):
        time.sleep(10)


def test_what_ends_in_time_is_not(deadline: Deadline) -> None:
    with deadline.after(0.01):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_what_is_held_ends_first(deadline: Deadline) -> None:
    ended = False
    with pytest.raises(TimeoutError), deadline.after(0.01):  # noqa: PT012
        with deadline.held():
            time.sleep(0.05)
            ended = True
        time.sleep(10)
    assert ended


def test_an_interruption_that_came_too_late_hits_nobody_else(deadline: Deadline) -> None:
    with deadline.after(0.01), deadline.held():
        pass
    with deadline.after(10), deadline.held():
        pass
