"""Several requests as one run of a model: their rows side by side, and the results given back to each."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from onnxruntime import RunOptions

from modelserver.errors import Error, Unavailable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Sequence

    from modelserver.models.datatypes import Array
    from modelserver.models.model import Model
    from modelserver.models.signature import Signature

Values = list[object]
Result = Values | Error


@dataclass(slots=True)
class Job:
    """What one request wants run: `rows` of `size` bytes in all, since `submitted` (seconds of a monotonic clock).

    `done` is called once, in the event loop's thread. A job that must run `alone` shares its run with no other.
    """

    feed: dict[str, Array]
    outputs: Sequence[str]
    done: Callable[[Result], None]
    rows: int
    size: int
    submitted: float
    alone: bool = False

    def fits(self, other: Job, *, same_shapes: bool) -> bool:
        """Whether both can be rows of one run: same outputs, and the same shapes behind the first axis, which need
        not be looked at where all jobs have them.
        """
        if self.outputs is not other.outputs and self.outputs != other.outputs:
            return False
        return same_shapes or all(
            array.shape[1:] == other.feed[name].shape[1:] for name, array in self.feed.items()
        )


def size_of(feed: dict[str, Array]) -> int:
    """How many bytes a model has to read, text included."""
    size = 0
    for array in feed.values():
        size += array.nbytes
        if array.dtype.kind == "O":
            size += sum(map(len, array.flat))
    return size


def rows_of(feed: dict[str, Array]) -> int:
    """The rows that all inputs have; 0 where they differ or have none: then the model has to judge the input."""
    rows = -1
    for array in feed.values():
        found = array.shape[0] if array.shape else 0
        if rows not in (-1, found):
            return 0
        rows = found
    return rows


class Batch:
    """Jobs that fit each other, in one run of their model."""

    __slots__ = ("_interruption", "_model", "_options", "jobs", "result", "rows", "seconds", "size", "started")

    def __init__(self, model: Model, jobs: list[Job]) -> None:
        self.jobs = jobs
        self.rows = sum(job.rows for job in jobs)
        self.size = sum(job.size for job in jobs)
        self.seconds = 0.0
        self.result: Result = []
        self._model = model
        self._options: Any = None
        self._interruption: asyncio.TimerHandle | None = None

    def run(self) -> None:
        """Runs the model, in any thread. Never raises: `result` is what came of it, after `seconds`."""
        started = self.started = time.perf_counter()
        try:
            self.result = self._model.run(_joined(self.jobs), self.jobs[0].outputs, self._options)
        except Error as error:
            self.result = error
        self.seconds = time.perf_counter() - started

    def interrupt_in(self, seconds: float, loop: asyncio.AbstractEventLoop) -> None:
        """Has a run that is not over by then fail, so that its thread is free for others."""
        self._options = RunOptions()
        self._interruption = loop.call_later(seconds, self._interrupt, seconds)

    def results(self) -> Iterator[Result]:
        """What to tell each job."""
        if self._interruption:
            self._interruption.cancel()
        if isinstance(self.result, Error) or len(self.jobs) == 1:
            yield from (self.result for _ in self.jobs)
            return
        start = 0
        for job in self.jobs:
            end = start + job.rows
            yield [value[start:end] for value in self.result]  # type: ignore[index]  # arrays: see can_share_rows
            start = end

    def _interrupt(self, seconds: float) -> None:
        self._options.terminate = True
        late = Unavailable(f"the model '{self._model.name}' gave no answer within {seconds:g} s")
        for job in self.jobs:
            job.done(late)
            job.done = _ignore


def _ignore(_: Result) -> None:
    """The job was told already."""


def _joined(jobs: Sequence[Job]) -> dict[str, Array]:
    """The rows of all jobs as one input."""
    if len(jobs) == 1:
        return jobs[0].feed
    return {name: np.concatenate([job.feed[name] for job in jobs]) for name in jobs[0].feed}


def can_share_rows(signature: Signature) -> bool:
    """Whether the shapes allow it at all: every input and output has a free first axis. That alone proves nothing
    about the results: see `probe`.
    """
    if not signature.inputs or len(signature.outputs) < len(signature.all_outputs):
        return False
    return all(spec.shape and spec.shape[0] < 0 for spec in (*signature.inputs, *signature.outputs))


def has_one_shape(signature: Signature) -> bool:
    """Whether nothing but the first axis of the inputs is free, so that all requests have the same shapes."""
    return all(spec.shape and min(spec.shape[1:], default=0) >= 0 for spec in signature.inputs)


def same(one: Any, other: Any) -> bool:
    """Whether two results mean the same: equal, but for the rounding of sums that were added in another order."""
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind != "f":
        return bool(np.array_equal(one, other))
    tolerance = 2e-3 if one.dtype == np.float16 else 1e-5
    return bool(np.allclose(one, other, rtol=tolerance, atol=tolerance, equal_nan=True))
