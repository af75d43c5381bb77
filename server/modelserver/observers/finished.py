"""A request for an inference after its answer, as those see it who are told of every one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from modelserver.http.message import Request
from modelserver.observers.trace_context import trace_context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelserver.errors import Error
    from modelserver.models.model import Model
    from modelserver.observe.metrics import Served
    from modelserver.protocols.inference import Headed, Inference

GRPC = b"application/grpc"
# Marks what a mirror sent again: it is neither mirrored once more nor counted among the users' requests.
MARK = b"modelfleet-mirrored"


class Run(Protocol):
    """A run of the model, for this request and maybe for others; `started` is a time of `time.perf_counter`."""

    @property
    def started(self) -> float: ...

    @property
    def seconds(self) -> float: ...

    @property
    def rows(self) -> int: ...


@dataclass(slots=True)
class Finished:
    """What came, what it meant (`model` and `inference`, where that could be said), and what became of it.

    `values` are those of the inference's outputs, or None where there is an `error`; `started` is a time of
    `time.perf_counter`; `run` is None where the model did not run. `handler` is what was asked instead of a model.
    """

    protocol: str
    asked: Headed
    model: Model | None
    inference: Inference[Any] | None
    values: Sequence[object] | None
    error: Error | None
    status: int
    answer: object
    started: float
    seconds: float
    run: Run | None
    handler: Served | None = None
    span: tuple[str, str] | None = field(default=None, init=False)

    @property
    def over_http(self) -> Request | None:
        """The request, if it came as HTTP and not as gRPC, whose calls are requests too."""
        if not isinstance(self.asked, Request) or self.asked.headers.get(b"content-type", b"").startswith(GRPC):
            return None
        return self.asked

    def ids(self) -> dict[str, str]:
        """What log lines about the request carry: request_id, and if there are any, trace_id and span_id."""
        if self.span is None:
            return ids(self.asked)
        return {"request_id": self.asked.id, "trace_id": self.span[0], "span_id": self.span[1]}


class Observer(Protocol):
    """Somebody who is told of every request for an inference."""

    def finished(self, request: Finished) -> None:
        """Is called in the event loop's thread, when the answer is on its way; should be quick."""


def ids(asked: Headed) -> dict[str, str]:
    """What log lines about a request without a span carry: request_id, and the caller's trace_id."""
    context = trace_context(asked.headers)
    return {"request_id": asked.id, **({"trace_id": context.hex_trace_id} if context else {})}
