"""A keyed work queue with the semantics of controller-runtime's.

A key waits at most once and is never worked on twice at a time; added while it is worked on, it comes
again afterwards. Failures back off per key, success forgets them, and a later wake-up never delays an
earlier one.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from modelfleet.core.errors import Conflict, ModelfleetError, Retryable

logger = logging.getLogger(__name__)

Key = TypeVar("Key")

MIN_BACKOFF_S = 0.05
MAX_BACKOFF_S = 60.0


class Queue(Generic[Key]):
    """Keys to be worked on by ``run``, in the order in which they became due."""

    def __init__(self, min_backoff_s: float = MIN_BACKOFF_S, max_backoff_s: float = MAX_BACKOFF_S) -> None:
        self._due: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._active: set[Key] = set()
        self._again: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._min_backoff_s = min_backoff_s
        self._max_backoff_s = max_backoff_s

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, key: Key) -> None:
        """Have the key worked on as soon as a worker is free."""
        if key in self._active:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._due.put_nowait(key)

    def add_after(self, key: Key, delay_s: float) -> None:
        """Have the key worked on after the delay, unless an earlier time is set already."""
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer and timer.when() <= loop.time() + delay_s:
            return
        if timer:
            timer.cancel()
        self._timers[key] = loop.call_later(delay_s, self._ring, key)

    async def run(self, work: Callable[[Key], Awaitable[float | None]], workers: int) -> None:
        """Work on keys until cancelled; ``work`` returns the seconds after which the key is due again, or None."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work(work))

    async def _work(self, work: Callable[[Key], Awaitable[float | None]]) -> None:
        while True:
            key = await self._due.get()
            self._waiting.discard(key)
            self._active.add(key)
            try:
                await self._attempt(key, work)
            finally:
                self._active.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.add(key)

    async def _attempt(self, key: Key, work: Callable[[Key], Awaitable[float | None]]) -> None:
        try:
            again_s = await work(key)
        except Conflict as conflict:
            logger.debug("%s: %s", key, conflict)
            self._back_off(key, 0)
        except ModelfleetError as error:
            logger.warning("%s: %s", key, error)
            self._back_off(key, (isinstance(error, Retryable) and error.retry_after_s) or 0)
        except Exception:
            logger.exception("%s: reconciling failed", key)
            self._back_off(key, 0)
        else:
            self._failures.pop(key, None)
            if again_s is not None:
                self.add_after(key, again_s)

    def _back_off(self, key: Key, at_least_s: float) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        backoff_s = min(self._max_backoff_s, self._min_backoff_s * 2 ** min(failures, 30))
        self.add_after(key, max(at_least_s, backoff_s * random.uniform(0.5, 1)))  # noqa: S311  jitter

    def _ring(self, key: Key) -> None:
        del self._timers[key]
        self.add(key)
