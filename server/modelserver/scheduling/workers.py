"""The threads in which runs happen that would hold up the event loop."""

from __future__ import annotations

from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Workers:
    """Each may have one piece of work in hand and one that waits, so that it need not wait for the event loop
    between the two. All but the work itself is called in the event loop's thread.
    """

    def __init__(self, count: int, loop: asyncio.AbstractEventLoop) -> None:
        self._count = count
        self._given = 0
        self._loop = loop
        self._tasks: SimpleQueue[tuple[Callable[[], None], Callable[[], None]] | None] = SimpleQueue()
        for number in range(count):
            Thread(target=self._work, name=f"worker-{number}", daemon=True).start()

    @property
    def idle(self) -> int:
        """How many have nothing to do."""
        return max(0, self._count - self._given)

    @property
    def room(self) -> bool:
        """Whether more may be given to them, now or for later."""
        return self._given < 2 * self._count

    def give(self, work: Callable[[], None], then: Callable[[], None]) -> None:
        """Has `work`, which may not raise, done by the next idle worker, and then calls `then`."""
        self._given += 1
        self._tasks.put((work, then))

    def close(self) -> None:
        """Ends the threads, each when its work is done."""
        self._tasks.put(None)

    def _work(self) -> None:
        while task := self._tasks.get():
            work, then = task
            work()
            with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                self._loop.call_soon_threadsafe(self._done, then)
        self._tasks.put(None)  # for the next thread

    def _done(self, then: Callable[[], None]) -> None:
        self._given -= 1
        then()
