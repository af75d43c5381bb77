"""From a request in any protocol to its answer: find the model, parse, run, answer, count it however it ends."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Generic

from modelserver.errors import Error, ModelFailed
from modelserver.protocols.inference import Answer, Asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelserver.models.model import Model
    from modelserver.models.repository import Models
    from modelserver.observe.metrics import Metrics
    from modelserver.protocols.inference import Dialect, Inference
    from modelserver.scheduling.scheduler import Scheduler

log = logging.getLogger(__name__)

COMPLAINT_EVERY_S = 10.0
DEFECT = "the server failed on this request; its log says why"


class InferenceService:
    """What every protocol hands its requests to."""

    def __init__(self, models: Models, scheduler: Scheduler, metrics: Metrics) -> None:
        self.models = models
        self.scheduler = scheduler
        self.metrics = metrics
        self._next_complaint = 0.0

    def infer(
        self,
        dialect: Dialect[Asked, Answer],
        asked: Asked,
        name: str | None,
        version: str | None,
        size: int,
        answer: Callable[[Answer], None],
    ) -> None:
        """Calls `answer` once, now or later, with what `dialect` answers to the request `asked` of `size` bytes.

        `name` None means the only model there is. Never raises: what goes wrong is answered too.
        """
        call = Call(self, dialect, size, answer)
        try:
            model = call.model = self.models.find(name, version) if name else self.models.only()
            inference = call.inference = dialect.parse(model, asked)
            self.scheduler.submit(model, inference.feed, inference.outputs, call.ran)
        except Error as error:
            call.refused(error)
        except Exception:
            call.broken()

    def may_complain(self) -> bool:
        """Whether to log a failure: not once per request."""
        now = time.monotonic()
        if now < self._next_complaint:
            return False
        self._next_complaint = now + COMPLAINT_EVERY_S
        return True


class Call(Generic[Asked, Answer]):
    """One request on its way to its answer."""

    __slots__ = ("_answer", "_dialect", "_service", "_size", "_started", "inference", "model")

    def __init__(
        self,
        service: InferenceService,
        dialect: Dialect[Asked, Answer],
        size: int,
        answer: Callable[[Answer], None],
    ) -> None:
        self.model: Model | None = None
        self.inference: Inference[Answer]
        self._service = service
        self._dialect = dialect
        self._size = size
        self._answer = answer
        self._started = time.perf_counter()

    def ran(self, result: list[object] | Error) -> None:
        """Answers with what the model gave, or with why it gave nothing."""
        if isinstance(result, Error):
            self.refused(result)
            return
        try:
            answer = self.inference.answer(result)
        except Exception:
            self.broken()
        else:
            self._send(answer, 200)

    def refused(self, error: Error) -> None:
        """Answers that there is no result, and why."""
        if isinstance(error, ModelFailed) and self._service.may_complain():
            log.error("%s", error, extra=self._names())
        self._send(self._dialect.refusal(error), error.status)

    def broken(self) -> None:
        """Answers that the server has a defect, which the log tells about: to be called where it was caught."""
        if self._service.may_complain():
            log.exception("an inference met a defect of the server", extra=self._names())
        self.refused(Error(DEFECT))

    def _names(self) -> dict[str, str]:
        return {"model": self.model.name, "version": self.model.version} if self.model else {}

    def _send(self, answer: Answer, status: int) -> None:
        seconds = time.perf_counter() - self._started
        meter = self._service.metrics.endpoint(self.model, self._dialect.NAME)
        meter.answered(status, seconds, self._size, len(answer))
        self._answer(answer)
