"""Answers from Azure, asked for in the background: one question is asked once, however many want to know.

Whoever asks gets at once what is known, and is told when more is. An answer that has become old is asked for again
while it still serves; one that failed, later and later. So nobody who reconciles ever waits for Azure.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from modelfleet.core.errors import Retryable, Terminal

logger = logging.getLogger(__name__)

T = TypeVar("T")
Asker = Hashable

THREADS = 8
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 60.0
DOUBLINGS = 10  # by then a pause is the longest anyway; a thousand would be too much for a float
FORGOTTEN_AFTER_S = 3600.0


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What is known: a ``value``, maybe an old one, and the ``error`` of the last attempt; at first neither.

    ``again_s`` is when to ask again; None while the asker will be told.
    """

    value: T | None = None
    error: Terminal | Retryable | None = None
    again_s: float | None = None


@dataclass(slots=True)
class _Known:
    value: Any = None
    error: Terminal | Retryable | None = None
    due: float = 0.0
    asked: float = 0.0
    failures: int = 0
    task: asyncio.Task[None] | None = None
    askers: set[Asker] = field(default_factory=set)
    waiting: set[Asker] = field(default_factory=set)


class Answers:
    """``tell`` is called with whoever asked when there is news. All is called in the event loop's thread."""

    def __init__(self, tell: Callable[[Any], None], now: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._now = now
        self._known: dict[Hashable, _Known] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="azure")

    def ask(
        self, question: Hashable, find: Callable[[], T], asker: Asker, fresh_s: Callable[[T], float]
    ) -> Answer[T]:
        """Return what is known of a question; ``find``, called in a thread, answers it for ``fresh_s`` seconds."""
        now = self._now()
        known = self._known.get(question) or self._new(question, now)
        known.asked = now
        known.askers.add(asker)
        if known.task is None and known.due <= now:
            known.task = asyncio.create_task(self._find(known, find, fresh_s))
        if known.task:
            known.waiting.add(asker)
        return Answer(known.value, known.error, None if known.task else known.due - now)

    def close(self) -> None:
        """Ask no more; what is being asked is not waited for."""
        for known in self._known.values():
            if known.task:
                known.task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _new(self, question: Hashable, now: float) -> _Known:
        idle = [
            key for key, known in self._known.items() if known.asked + FORGOTTEN_AFTER_S < now and not known.task
        ]
        for key in idle:
            del self._known[key]
        return self._known.setdefault(question, _Known())

    async def _find(self, known: _Known, find: Callable[[], T], fresh_s: Callable[[T], float]) -> None:
        before = known.value, _reason(known.error)
        try:
            known.value = await asyncio.get_running_loop().run_in_executor(self._threads, find)
            known.error, known.failures = None, 0
            known.due = self._now() + fresh_s(known.value) * random.uniform(0.9, 1)  # noqa: S311  jitter
        except (Terminal, Retryable) as error:
            self._failed(known, error)
        except Exception:
            logger.exception("asking Azure failed")
            self._failed(known, Terminal("AzureRefused", "Asking Azure failed; the operator's log says why."))
        known.task = None
        is_news = (known.value, _reason(known.error)) != before
        told, known.waiting = known.askers if is_news else known.waiting, set()
        if is_news:
            known.askers = set()
        for asker in told:
            self._tell(asker)

    def _failed(self, known: _Known, error: Terminal | Retryable) -> None:
        known.error = error
        known.failures += 1
        doublings = min(known.failures - 1, DOUBLINGS)
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**doublings) * random.uniform(0.8, 1)  # noqa: S311
        asked_s = error.retry_after_s if isinstance(error, Retryable) else None
        known.due = self._now() + max(pause_s, asked_s or 0)
        logger.warning("%s: %s", error.reason, error)


def _reason(error: Terminal | Retryable | None) -> str:
    return error.reason if error else ""
