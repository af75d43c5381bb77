"""The jobs that wait for one model, and which of them run next together."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from modelserver.scheduling.batch import can_share_rows, has_one_shape

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

    def batch(self, jobs: int) -> list[Job]:
        """The oldest job and those behind it, `jobs` at most, that can share its run. They stay in the lane."""
        first = self.jobs[0]
        found, rows = [first], first.rows
        if first.alone or not 0 < rows < self.max_rows:
            return found
        for job in islice(self.jobs, 1, jobs):
            rows += job.rows
            if (
                rows > self.max_rows
                or not job.rows
                or job.alone
                or not first.fits(job, same_shapes=self.same_shapes)
            ):
                break
            found.append(job)
        return found

    def take(self, batch: list[Job]) -> None:
        """Removes the jobs of a batch, which are the oldest."""
        for _ in batch:
            self.jobs.popleft()

    def seconds(self, batch: list[Job]) -> float:
        """What the run of a batch will take; infinity where nobody can say."""
        findings = self.findings
        return findings.costs.of(sum(job.size for job in batch)) if findings.steady else float("inf")

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
