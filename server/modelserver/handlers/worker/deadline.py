"""Ends a run of the handler that takes too long, where Python can be interrupted at all."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Deadline:
    """Raises TimeoutError in the main thread. What blocks outside of Python is not reached: the server ends it."""

    def __init__(self) -> None:
        self._held = self._due = False
        signal.signal(signal.SIGALRM, lambda *_: self._ring())

    @contextmanager
    def after(self, seconds: float) -> Iterator[None]:
        """Has what happens within the block fail with TimeoutError when it takes longer."""
        self._due = False
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lets what happens within the block end first."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            if self._due:
                self._ring()

    def _ring(self) -> None:
        self._due = self._held
        if not self._held:
            raise TimeoutError("the handler has used up its time")
