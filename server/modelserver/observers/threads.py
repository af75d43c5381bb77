"""Waiting for work in a thread without waiting for ever."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


async def ended_within(seconds: float, work: Callable[[], None]) -> bool:
    """Whether `work`, called in a thread of its own, ended in time; if not, its thread is left to itself.

    The event loop's own threads are no place for what may hang: the loop waits for them when it closes.
    """
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        try:
            work()
        finally:
            with suppress(RuntimeError):  # nobody waits any more: the loop is closed
                loop.call_soon_threadsafe(ended.set)

    Thread(target=run, daemon=True).start()
    with suppress(TimeoutError):
        await asyncio.wait_for(ended.wait(), seconds)
    return ended.is_set()
