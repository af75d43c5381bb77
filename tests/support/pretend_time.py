"""Pretended time: it jumps from what is due to what is due next; reconciles happen only where there is a reason.

A reconcile happens where the operator would have one: when a watch tells of something that it has not done itself,
and when it wanted to look again.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

CHURN = 60
"""So many reconciles without any time between them are a loop."""


class Crash(Exception):
    """The operator's process ends here."""


class PretendTime(ABC):
    """What time does to something that is reconciled."""

    now: datetime
    look_again: datetime | None
    is_news: bool

    @property
    @abstractmethod
    def status(self) -> dict[str, Any]:
        """What is told of it."""

    @abstractmethod
    def happens(self) -> bool:
        """Do what others do now; return whether a watch tells of any of it."""

    @abstractmethod
    def next_moment(self, until: datetime) -> datetime:
        """When something is due next, at the latest `until`."""

    @abstractmethod
    def pass_to(self, moment: datetime) -> None:
        """Let time pass in which nothing happens but requests."""

    @abstractmethod
    def reconcile(self) -> None:
        """What the operator does."""

    def run(self, seconds: float = 0) -> None:
        """Let so much time pass, with everything that happens in it."""
        until, at_once = self.now + timedelta(seconds=seconds), 0
        while True:
            self.is_news |= self.happens()
            if self.is_news or (self.look_again and self.look_again <= self.now):
                at_once += 1
                assert at_once < CHURN, [self.now, self.status]
                self.work()
            elif self.now >= until:
                return
            else:
                self.pass_to(self.next_moment(until))
                at_once = 0

    def run_until(self, what: Callable[[], object], within_s: float = 7200) -> None:
        """Let time pass until that is so."""
        end = self.now + timedelta(seconds=within_s)
        self.run()
        while not what():
            assert self.now < end, f"not within {within_s} s: {json.dumps(self.status, indent=1)}"
            self.run((self.next_moment(end) - self.now).total_seconds())

    def work(self) -> None:
        """One reconcile; a process that ends in it is started again."""
        self.is_news, self.look_again = False, None
        try:
            self.reconcile()
        except Crash:
            self.is_news = True
