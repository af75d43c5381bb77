"""From a request in any protocol to its answer: find the model, parse, run, answer, count it however it ends."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Generic

from modelserver.errors import Error, ModelFailed
from modelserver.http.message import Deferred
from modelserver.observers.finished import MARK, Finished, ids
from modelserver.protocols.inference import Answer, Asked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelserver.models.datatypes import Array
    from modelserver.models.model import Model
    from modelserver.models.repository import Models
    from modelserver.observe.metrics import EndpointMeter, Metrics, Served
    from modelserver.observers.finished import Observer
    from modelserver.protocols.inference import Dialect, Headed, Inference
    from modelserver.scheduling.batch import Batch, Result
    from modelserver.scheduling.scheduler import Scheduler

log = logging.getLogger(__name__)

COMPLAINT_EVERY_S = 10.0
DEFECT = "the server failed on this request; its log says why"


class InferenceService:
    """What every protocol hands its requests to, and after the answer shows to `observers`.

    Requests are counted by their protocol, or all alike as `counted_as` where that is given.
    """

    def __init__(
        self, models: Models, scheduler: Scheduler, metrics: Metrics, counted_as: str | None = None
    ) -> None:
        self.models = models
        self.scheduler = scheduler
        self.metrics = metrics
        self._counted_as = counted_as
        self.observers: tuple[Observer, ...] = ()
        self._next_complaint = 0.0

    def infer(
        self,
        dialect: Dialect[Asked, Answer],
        asked: Asked,
        name: str | None,
        version: str | None,
        size: int,
    ) -> Deferred[Answer]:
        """What `dialect` answers to the request `asked` of `size` bytes, now or later.

        `name` None means the only model there is. Never raises: what goes wrong is answered too.
        """
        call = Call(self, dialect, asked, size)
        try:
            model = call.model = self.models.find(name, version) if name else self.models.only()
            inference = call.inference = dialect.parse(model, asked)
            call.feed, call.outputs = inference.feed, inference.outputs
            self.scheduler.submit(model, call)
        except Error as error:
            call.refused(error)
        except Exception:
            call.broken()
        return call

    def meter(self, served: Served | None, protocol: str, asked: Headed) -> EndpointMeter:
        """Where to count the request `asked` in `protocol` for what is `served`; None where it named nothing here.
        What a mirror sent is no user's request, and is counted apart.
        """
        copied = "mirror" if MARK in asked.headers else protocol
        return self.metrics.endpoint(served, self._counted_as or copied)

    def observe(self, finished: Finished) -> None:
        """Tells every observer. One that has a defect must not take the answers to other requests with it."""
        for observer in self.observers:
            try:
                observer.finished(finished)
            except Exception:
                if self.may_complain():
                    log.exception("an observer of requests met a defect", extra=finished.ids())

    def may_complain(self) -> bool:
        """Whether to log a failure: not once per request."""
        now = time.monotonic()
        if now < self._next_complaint:
            return False
        self._next_complaint = now + COMPLAINT_EVERY_S
        return True


class Call(Deferred[Answer], Generic[Asked, Answer]):
    """The answer to one request on its way there, for which it is a `Job` of the scheduler."""

    __slots__ = (
        "_asked",
        "_dialect",
        "_received",
        "_service",
        "_started",
        "alone",
        "feed",
        "inference",
        "model",
        "outputs",
        "rows",
        "size",
        "submitted",
    )

    feed: dict[str, Array]
    outputs: Sequence[str]
    rows: int
    size: int
    submitted: float
    alone: bool

    def __init__(
        self, service: InferenceService, dialect: Dialect[Asked, Answer], asked: Asked, size: int
    ) -> None:
        self._callback = self._answer = None  # as a Deferred does, which need not be called for that
        self.model: Model | None = None
        self.inference: Inference[Answer] | None = None
        self._service = service
        self._dialect = dialect
        self._asked = asked
        self._received = size
        self._started = time.perf_counter()

    def done(self, result: Result, batch: Batch | None, /) -> None:
        """Answers with what the model gave, or with why it gave nothing."""
        if isinstance(result, Error):
            self.refused(result, batch)
            return
        try:
            answer = self.inference.answer(result)  # type: ignore[union-attr]  # without one, nothing would run
        except Exception:
            self.broken()
        else:
            self._send(answer, 200, result, batch)

    def refused(self, error: Error, batch: Batch | None = None) -> Finished | None:
        """Answers that there is no result, and why."""
        finished = self._send(self._dialect.refusal(error), error.status, error, batch)
        if isinstance(error, ModelFailed) and self._service.may_complain():
            log.error("%s", error, extra=self._names(finished))
        return finished

    def broken(self) -> None:
        """Answers that the server has a defect, which the log tells about: to be called where it was caught."""
        finished = self.refused(Error(DEFECT))
        if self._service.may_complain():
            log.exception("an inference met a defect of the server", extra=self._names(finished))

    def _names(self, finished: Finished | None) -> dict[str, str]:
        found = finished.ids() if finished else ids(self._asked)
        return found | {"model": self.model.name, "version": self.model.version} if self.model else found

    def _send(self, answer: Answer, status: int, result: Result, batch: Batch | None) -> Finished | None:
        seconds = time.perf_counter() - self._started
        meter = self._service.meter(self.model, self._dialect.NAME, self._asked)
        meter.answered(status, seconds, self._received, len(answer))
        self.resolve(answer)
        if not self._service.observers:
            return None
        return self._observed(answer, status, result, batch, seconds)

    def _observed(
        self, answer: Answer, status: int, result: Result, batch: Batch | None, seconds: float
    ) -> Finished:
        finished = Finished(
            protocol=self._dialect.NAME,
            asked=self._asked,
            model=self.model,
            inference=self.inference,
            values=None if isinstance(result, Error) else result,
            error=result if isinstance(result, Error) else None,
            status=status,
            answer=answer,
            started=self._started,
            seconds=seconds,
            run=batch,
        )
        self._service.observe(finished)
        return finished
