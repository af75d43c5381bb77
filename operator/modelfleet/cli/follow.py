"""Following what changes, live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

T = TypeVar("T")


async def follow(versions: AsyncIterator[T], show: Callable[[T], None], tick_s: float | None) -> None:
    """Show each version when it comes; with ticks the last one again in between, since time is part of it."""
    coming = asyncio.ensure_future(_next(versions))
    latest: list[T] = []
    try:
        while True:
            done, _ = await asyncio.wait({coming}, timeout=tick_s if latest else None)
            if done:
                latest = [coming.result()]
                coming = asyncio.ensure_future(_next(versions))
            show(latest[0])
    except StopAsyncIteration:
        return
    finally:
        coming.cancel()


async def _next(versions: AsyncIterator[T]) -> T:
    return await anext(versions)
