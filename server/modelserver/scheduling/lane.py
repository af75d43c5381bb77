"""The jobs that wait for one model, and which of them run next together."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelserver.models.model import Model
    from modelserver.observe.metrics import ModelMeter
    from modelserver.scheduling.batch import Job
    from modelserver.scheduling.costs import Costs

MAX_WAITING = 1000


@dataclass(slots=True, eq=False)
class Lane:
    """`max_rows` is the most rows of several jobs in one run; 1 means that jobs never share one.

    A model is `steady` when what a run takes depends on the size of its input, not on its values.
    """

    model: Model
    meter: ModelMeter
    costs: Costs
    max_rows: int = 1
    steady: bool = True
    max_waiting: int = MAX_WAITING
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
            if rows > self.max_rows or not job.rows or job.alone or not first.fits(job):
                break
            found.append(job)
        return found

    def take(self, batch: list[Job]) -> None:
        """Removes the jobs of a batch, which are the oldest."""
        for _ in batch:
            self.jobs.popleft()

    def seconds(self, batch: list[Job]) -> float:
        """What the run of a batch will take; infinity where nobody can say."""
        return self.costs.of(sum(job.size for job in batch)) if self.steady else float("inf")
