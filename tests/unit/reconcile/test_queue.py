"""The work queue: each key waits once, is worked on once at a time, and is never forgotten. Time is virtual."""

from __future__ import annotations

import asyncio
import functools
import inspect
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from modelfleet.core.errors import Conflict, Invalid, Retryable, Throttled, Unreachable
from modelfleet.reconcile.queue import Queue
from tests.support.virtual_time import now, run


def in_virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def synchronous(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))

    synchronous.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]  # pytest reads fixtures off it
    return synchronous


@pytest.fixture(autouse=True)
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    def longest(_low: float, high: float) -> float:
        return high

    monkeypatch.setattr(random, "uniform", longest)


class Work:
    """Work that notes when it began on which key; `script` says how each attempt ends, the last one for ever."""

    def __init__(self, *script: Exception | float | None, takes_s: float = 0) -> None:
        self.began: list[tuple[float, str]] = []
        self.running: list[str] = []
        self.most_at_once = 0
        self._script = list(script) or [None]
        self._takes_s = takes_s

    async def __call__(self, key: str) -> float | None:
        assert key not in self.running, "worked on twice at a time"
        self.began.append((round(now(), 6), key))
        self.running.append(key)
        self.most_at_once = max(self.most_at_once, len(self.running))
        await asyncio.sleep(self._takes_s)
        self.running.remove(key)
        outcome = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    @property
    def times(self) -> list[float]:
        return [time for time, _ in self.began]


async def work_for(seconds: float, queue: Queue[str], work: Work, workers: int = 2) -> None:
    try:
        async with asyncio.timeout(seconds):
            await queue.run(work, workers)
    except TimeoutError:
        pass


def soon(delay_s: float, call: Callable[..., None], *args: Any) -> None:
    asyncio.get_running_loop().call_later(delay_s, call, *args)


@in_virtual_time
async def test_keys_are_worked_on_in_the_order_in_which_they_were_added() -> None:
    queue, work = Queue[str](), Work()
    for key in "cab":
        queue.add(key)
    assert len(queue) == 3
    await work_for(1, queue, work, workers=1)
    assert [key for _, key in work.began] == ["c", "a", "b"]
    assert len(queue) == 0


@in_virtual_time
async def test_a_key_waits_at_most_once() -> None:
    queue, work = Queue[str](), Work()
    for _ in range(5):
        queue.add("a")
    assert len(queue) == 1
    await work_for(1, queue, work)
    assert work.times == [0]


@in_virtual_time
async def test_a_key_added_while_it_is_worked_on_comes_again_once_and_afterwards() -> None:
    queue, work = Queue[str](), Work(takes_s=10)
    queue.add("a")
    for second in (1, 2, 3):
        soon(second, queue.add, "a")
    await work_for(100, queue, work)
    assert work.times == [0, 10]


@in_virtual_time
async def test_other_keys_do_not_wait_for_a_slow_one() -> None:
    queue, work = Queue[str](), Work(takes_s=10)
    for key in "abc":
        queue.add(key)
    await work_for(100, queue, work, workers=2)
    assert work.began == [(0, "a"), (0, "b"), (10, "c")]
    assert work.most_at_once == 2


@in_virtual_time
async def test_a_failing_key_is_tried_later_and_later_up_to_a_limit() -> None:
    queue, work = Queue[str](min_backoff_s=1, max_backoff_s=10), Work(Unreachable("no answer"))
    queue.add("a")
    await work_for(40, queue, work)
    assert work.times == [0, 2, 6, 14, 24, 34]


@in_virtual_time
async def test_the_backoff_has_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[float, float]] = []

    def shortest(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    monkeypatch.setattr(random, "uniform", shortest)
    queue, work = Queue[str](min_backoff_s=1), Work(Unreachable("no answer"), None)
    queue.add("a")
    await work_for(40, queue, work)
    assert asked == [(0.5, 1)]
    assert work.times == [0, 1]


@in_virtual_time
async def test_success_forgets_the_failures_before() -> None:
    failure = Unreachable("no answer")
    queue, work = Queue[str](min_backoff_s=1), Work(failure, failure, 100, failure, None)
    queue.add("a")
    await work_for(1000, queue, work)
    assert work.times == [0, 2, 6, 106, 108]


@in_virtual_time
async def test_failures_of_one_key_do_not_delay_another() -> None:
    queue, work = Queue[str](min_backoff_s=10), Work(Unreachable("no answer"), None)
    queue.add("a")
    soon(1, queue.add, "b")
    await work_for(100, queue, work)
    assert work.began == [(0, "a"), (1, "b"), (20, "a")]


@in_virtual_time
async def test_news_of_a_failing_key_does_not_wait_for_its_backoff() -> None:
    queue, work = Queue[str](min_backoff_s=10), Work(Unreachable("no answer"), None)
    queue.add("a")
    soon(5, queue.add, "a")
    await work_for(15, queue, work)
    assert work.times == [0, 5]


@pytest.mark.parametrize(
    ("error", "again_at"),
    [
        (Conflict("changed"), 0.1),
        (Invalid("Invalid", "refused"), 0.1),
        (Retryable("later"), 0.1),
        (Throttled("slower", retry_after_s=30), 30),
        (Throttled("slower", retry_after_s=0), 0.1),
        (ValueError("a bug"), 0.1),
    ],
)
@in_virtual_time
async def test_every_kind_of_failure_is_tried_again_when_it_makes_sense(error: Exception, again_at: float) -> None:
    queue, work = Queue[str](), Work(error, None)
    queue.add("a")
    await work_for(100, queue, work, workers=1)
    assert work.times == [0, again_at]


@in_virtual_time
async def test_a_bug_in_the_work_costs_no_worker() -> None:
    queue, work = Queue[str](), Work(KeyError("bug"), KeyError("bug"), None)
    for key in "abc":
        queue.add(key)
    await work_for(100, queue, work, workers=1)
    assert sorted(key for _, key in work.began) == ["a", "a", "b", "b", "c"]


@in_virtual_time
async def test_work_says_when_it_is_due_again() -> None:
    queue, work = Queue[str](), Work(60, 0, None)
    queue.add("a")
    await work_for(1000, queue, work)
    assert work.times == [0, 60, 60]


@pytest.mark.parametrize("delays", [(5, 50), (50, 5)])
@in_virtual_time
async def test_of_two_times_the_earlier_one_counts(delays: tuple[float, float]) -> None:
    queue, work = Queue[str](), Work()
    for delay_s in delays:
        queue.add_after("a", delay_s)
    await work_for(100, queue, work)
    assert work.times == [5]


@in_virtual_time
async def test_a_time_that_comes_while_the_key_is_worked_on_is_not_lost() -> None:
    queue, work = Queue[str](), Work(takes_s=10)
    queue.add("a")
    queue.add_after("a", 5)
    await work_for(100, queue, work)
    assert work.times == [0, 10]


@in_virtual_time
async def test_cancelling_ends_the_work_that_is_under_way() -> None:
    queue, work = Queue[str](), Work(takes_s=1000)
    queue.add("a")
    await work_for(5, queue, work)
    assert now() == pytest.approx(5)
    assert work.running == ["a"]
