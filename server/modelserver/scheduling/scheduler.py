"""When, where and with which others the inferences of all models run.

Requests that are there in the same turn of the event loop share a run, where the model is proved to allow it:
nobody waits for a fuller batch, so a request that is alone loses nothing. A run that is likely to be short happens
in the event loop's own thread, since handing it over would take longer; any other in a worker thread. While all
workers are busy, requests pile up, and the next free worker takes its fair share of them in one run; only full
runs are put in line for busy workers. Models take turns.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelserver.errors import Error, Unavailable
from modelserver.live.settings import Batching
from modelserver.scheduling.batch import measured
from modelserver.scheduling.lane import Lane
from modelserver.scheduling.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelserver.models.datatypes import Array
    from modelserver.models.model import Model
    from modelserver.observe.metrics import Metrics
    from modelserver.scheduling.batch import Batch, Job, Result, Values
    from modelserver.scheduling.probe import Findings

# Handing a run to a thread and its result back costs 50 to 100 µs, most of it waiting for the processor. With one
# processor for all, nothing else would get done meanwhile, so more runs are worth it to stay in the loop's thread.
SHORT_S = 150e-6
SHORT_ON_ONE_CPU_S = 500e-6


class Scheduler:
    """All of it is called in the event loop's thread. `limit_s` is how long a job may wait, and a run may take."""

    def __init__(self, workers: int, metrics: Metrics, limit_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._workers = Workers(workers, self._loop)
        self._short_s = SHORT_S if workers > 1 else SHORT_ON_ONE_CPU_S
        self._metrics = metrics
        self._limit_s = limit_s
        self._lanes: dict[Model, Lane] = {}
        self._limits = Batching()
        self._busy: deque[Lane] = deque()
        self._turn_planned = False

    def add(self, model: Model, findings: Findings) -> None:
        """Runs `model` from now on, as the findings of its probe allow."""
        meter = self._metrics.model(model.name, model.version)
        lane = self._lanes[model] = Lane(model, findings, meter)
        lane.limit(self._limits.of(model.name))

    def limit(self, limits: Batching) -> None:
        """From now on keeps to `limits`, for the models that are there and for those to come."""
        self._limits = limits
        for model, lane in self._lanes.items():
            lane.limit(limits.of(model.name))

    def remove(self, model: Model) -> None:
        """Forgets `model`; what waits for it is still run."""
        del self._lanes[model]

    def submit(self, model: Model, job: Job) -> None:
        """Calls `job.done` once, later, with the values of its `outputs` in that order, or with the ModelFailed or
        Unavailable that they met. Raises Unavailable when too many requests for this model wait already.
        """
        lane = self._lanes[model]
        if len(lane.jobs) >= lane.max_waiting:
            raise Unavailable(
                f"{len(lane.jobs)} requests already wait for the model '{model.name}'; try again later"
            )
        job.rows, job.size = measured(job.feed)
        job.alone = lane.max_rows == 1
        job.submitted = time.perf_counter()
        lane.jobs.append(job)
        lane.meter.in_flight += 1
        if not lane.listed:
            self._list(lane)
            self._plan_turn()

    async def run(self, model: Model, feed: dict[str, Array], outputs: Sequence[str]) -> Values:
        """The values of `outputs` in that order. Raises ModelFailed or Unavailable."""
        future: asyncio.Future[Values] = self._loop.create_future()
        self.submit(model, _Awaited(feed, outputs, future))
        return await future

    def close(self) -> None:
        """Ends the worker threads, each after its present run."""
        self._workers.close()

    def _list(self, lane: Lane) -> None:
        if not lane.listed:
            lane.listed = True
            self._busy.append(lane)

    def _plan_turn(self) -> None:
        """A turn comes after everything that has arrived by now was read: those requests share it."""
        if not self._turn_planned:
            self._turn_planned = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """One run for each lane that has jobs, as far as there are idle workers for those that are not short."""
        self._turn_planned = False
        self._serve_lanes()

    def _serve_lanes(self) -> None:
        lanes, self._busy = self._busy, deque()
        unserved = []
        for lane in lanes:
            lane.listed = False
            if not self._serve(lane):
                unserved.append(lane)
            elif lane.jobs:
                self._list(lane)
                self._plan_turn()
        for lane in reversed(unserved):  # first in line when a worker is idle again
            lane.listed = True
            self._busy.appendleft(lane)

    def _serve(self, lane: Lane) -> bool:
        """Runs the oldest jobs of `lane`; false when they have to wait for a worker."""
        self._give_up_old(lane)
        if not lane.jobs:
            return True
        batch = lane.batch(len(lane.jobs))
        if lane.seconds(batch) <= (self._short_s if self._workers.idle else SHORT_S):
            lane.take(batch)
            batch.run()
            self._finished(lane, batch)
            return True
        if idle := self._workers.idle:
            batch = lane.batch(-(-len(lane.jobs) // idle))
        elif not self._workers.room or batch.rows < lane.max_rows:
            return False  # a batch that is full gains nothing by waiting here, any other may grow
        lane.take(batch)
        batch.interrupt_in(self._limit_s, self._loop)
        self._workers.give(batch.run, lambda: self._finished_by_worker(lane, batch))
        return True

    def _give_up_old(self, lane: Lane) -> None:
        """Whoever asked so long ago waits no more; running it all the same would make the others as late."""
        oldest = time.perf_counter() - self._limit_s
        while lane.jobs and lane.jobs[0].submitted < oldest:
            lane.meter.in_flight -= 1
            late = Unavailable(f"the model '{lane.model.name}' has too much to do; try again later")
            lane.jobs.popleft().done(late, None)

    def _finished_by_worker(self, lane: Lane, batch: Batch) -> None:
        """The worker goes on with what waits, and meanwhile the answers of this run are written."""
        self._serve_lanes()
        self._finished(lane, batch)

    def _finished(self, lane: Lane, batch: Batch) -> None:
        """Gives each job its result. Where a shared run failed, each runs again alone: it was the fault of one."""
        jobs = batch.jobs
        lane.meter.ran(batch.rows, batch.seconds, time.time())
        if isinstance(batch.result, Error) and len(jobs) > 1 and not batch.given_up:
            for job in reversed(jobs):
                job.alone = True
                lane.jobs.appendleft(job)
            self._list(lane)
            self._plan_turn()
            return
        lane.findings.costs.learn(batch.size, batch.seconds)
        lane.meter.in_flight -= len(jobs)
        if not batch.given_up:
            for job, result in zip(jobs, batch.results(), strict=True):
                job.done(result, batch)


@dataclass(slots=True)
class _Awaited:
    """The job of a coroutine, which may have been cancelled meanwhile."""

    feed: dict[str, Array]
    outputs: Sequence[str]
    future: asyncio.Future[Values]
    rows: int = 0
    size: int = 0
    submitted: float = 0.0
    alone: bool = False

    def done(self, result: Result, _: Batch | None, /) -> None:
        if self.future.done():
            return
        if isinstance(result, Error):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)
