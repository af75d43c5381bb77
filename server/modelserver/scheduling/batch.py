"""Several requests as one run of a model: their rows side by side, and the results given back to each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from onnxruntime import RunOptions

from modelserver.errors import Error, Unavailable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Sequence

    from modelserver.models.datatypes import Array
    from modelserver.models.model import Model
    from modelserver.models.signature import Signature

Values = list[object]
Result = Values | Error


class Job(Protocol):
    """What one request wants run: the `outputs` for `feed`. The scheduler adds that it has `rows` of `size` bytes
    in all, when it was `submitted` (seconds of a monotonic clock), and whether it runs `alone`, with no other.
    """

    feed: dict[str, Array]
    outputs: Sequence[str]
    rows: int
    size: int
    submitted: float
    alone: bool

    def done(self, result: Result, batch: Batch | None, /) -> None:
        """Is called once, in the event loop's thread, with what came of it, and the run that it was a part of."""


def measured(feed: dict[str, Array]) -> tuple[int, int]:
    """How many rows all inputs have (0 where they differ or have none: the model has to judge that), and how many
    bytes a model has to read, text included.
    """
    rows, size = -1, 0
    for array in feed.values():
        found = len(array) if array.ndim else 0
        rows = found if rows in (-1, found) else 0
        size += array.nbytes
        if array.dtype.kind == "O":
            size += sum(map(len, array.flat))
    return rows, size


class Batch:
    """Jobs that fit each other, in one run of their model. `given_up` is true when it took too long: the jobs were
    told already.
    """

    __slots__ = (
        "_interruption",
        "_model",
        "_options",
        "given_up",
        "jobs",
        "result",
        "rows",
        "seconds",
        "size",
        "started",
    )

    def __init__(self, model: Model, jobs: list[Job], rows: int, size: int) -> None:
        self.jobs = jobs
        self.rows = rows
        self.size = size
        self.started = self.seconds = 0.0
        self.result: Result = []
        self.given_up = False
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
        """What to tell each job, of which only one can be told an error."""
        if self._interruption:
            self._interruption.cancel()
        if len(self.jobs) == 1:
            yield self.result
            return
        values = cast("list[Array]", self.result)  # see can_share_rows
        start = 0
        for job in self.jobs:
            end = start + job.rows
            yield [value[start:end] for value in values]
            start = end

    def _interrupt(self, seconds: float) -> None:
        self._options.terminate = True
        late = Unavailable(f"the model '{self._model.name}' gave no answer within {seconds:g} s")
        self.given_up = True
        for job in self.jobs:
            job.done(late, self)


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
