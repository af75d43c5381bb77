"""Runs models for requests."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from modelserver.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelserver.models.datatypes import Array
    from modelserver.models.model import Model
    from modelserver.observe.metrics import Metrics

    Result = list[object] | Error


class Scheduler:
    """Decides when and where each model runs. All of it is called in the event loop's thread."""

    def __init__(self, threads: Executor, metrics: Metrics) -> None:
        self._threads = threads
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()

    def submit(
        self, model: Model, feed: dict[str, Array], outputs: Sequence[str], done: Callable[[Result], None]
    ) -> None:
        """Calls `done` once, later, with the values of `outputs` in that order, or with the ModelFailed that they
        met. Raises Unavailable when too many requests for this model wait already.
        """
        self._loop.create_task(self._run(model, feed, outputs, done))

    async def run(self, model: Model, feed: dict[str, Array], outputs: Sequence[str]) -> list[object]:
        """The values of `outputs` in that order. Raises ModelFailed, or Unavailable as `submit` does."""
        future: asyncio.Future[list[object]] = self._loop.create_future()

        def done(result: Result) -> None:
            if future.done():
                return
            if isinstance(result, Error):
                future.set_exception(result)
            else:
                future.set_result(result)

        self.submit(model, feed, outputs, done)
        return await future

    async def _run(
        self, model: Model, feed: dict[str, Array], outputs: Sequence[str], done: Callable[[Result], None]
    ) -> None:
        meter = self._metrics.model(model.name, model.version)
        started = time.perf_counter()
        meter.in_flight += 1
        result: Result
        try:
            result = await self._loop.run_in_executor(self._threads, model.run, feed, outputs)
        except Error as error:
            result = error
        meter.in_flight -= 1
        meter.ran(1, time.perf_counter() - started, time.time())
        done(result)
