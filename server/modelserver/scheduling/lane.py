"""The jobs that wait for one model, and which of them run next together."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from modelserver.scheduling.batch import Batch, can_share_rows, has_one_shape

if TYPE_CHECKING:
    from modelserver.live.settings import BatchLimits
    from modelserver.models.model import Model
    from modelserver.observe.metrics import ModelMeter
    from modelserver.scheduling.batch import Job
    from modelserver.scheduling.probe import Findings

MAX_WAITING = 1000
# Of a model that somebody knows to have independent rows.
UNPROVED_ROWS = 8


@dataclass(slots=True, eq=False)
class Lane:
    """`max_rows` is the most rows of several jobs in one run; 1 means that jobs never share one."""

    model: Model
    findings: Findings
    meter: ModelMeter
    max_rows: int = 1
    max_waiting: int = MAX_WAITING
    same_shapes: bool = False  # of all jobs, but for their rows
    jobs: deque[Job] = field(default_factory=deque)
    listed: bool = False  # whether it is among the scheduler's lanes that have something to do

    def batch(self, jobs: int) -> Batch:
        """The oldest job and those behind it, `jobs` at most, that can share its run. They stay in the lane."""
        first = self.jobs[0]
        found, rows, size = [first], first.rows, first.size
        if not first.alone and 0 < rows < self.max_rows:
            for job in islice(self.jobs, 1, jobs):
                together = rows + job.rows
                if together > self.max_rows or job.alone or not job.rows or not self._fit(first, job):
                    break
                found.append(job)
                rows = together
                size += job.size
        return Batch(self.model, found, rows, size)

    def take(self, batch: Batch) -> None:
        """Removes the jobs of a batch, which are the oldest: it runs now."""
        now = time.perf_counter()
        for job in batch.jobs:
            self.jobs.popleft()
            self.meter.queue_seconds.observe(now - job.submitted)

    def seconds(self, batch: Batch) -> float:
        """What the run of a batch will take; infinity where nobody can say."""
        findings = self.findings
        return findings.costs.of(batch.size) if findings.steady else float("inf")

    def limit(self, limits: BatchLimits) -> None:
        """Runs jobs as the findings allow and as `limits` say, which may ask for what was not proved right."""
        rows = self.findings.max_rows
        if limits.enabled and rows == 1 and can_share_rows(self.model.signature):
            rows = UNPROVED_ROWS
        if limits.max_rows is not None:
            rows = min(rows, limits.max_rows)
        self.same_shapes = has_one_shape(self.model.signature)
        self.max_rows = 1 if limits.enabled is False else rows
        self.max_waiting = MAX_WAITING if limits.max_queue is None else limits.max_queue

    def _fit(self, one: Job, other: Job) -> bool:
        """Whether both can be rows of one run: same outputs, and the same shapes behind the first axis."""
        if one.outputs is not other.outputs and one.outputs != other.outputs:
            return False
        return self.same_shapes or all(
            array.shape[1:] == other.feed[name].shape[1:] for name, array in one.feed.items()
        )
