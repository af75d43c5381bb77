"""Spans for OpenTelemetry: one for each request, made when it is over, and sent by a thread in the background.

The SDK's own way to make a span (start it, set attributes, end it) costs 40 µs; one that is written down when all
of it is known costs 10. Sampling, batching, and whatever the standard variables can say are the SDK's.
"""

from __future__ import annotations

import logging
import os
import time
from random import getrandbits
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from modelserver import __version__
from modelserver.observe.outage import Outage
from modelserver.observers.semantics import described, exception
from modelserver.observers.threads import ended_within
from modelserver.observers.trace_context import trace_context

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelserver.observers.finished import Finished
    from modelserver.observers.semantics import Attributes
    from modelserver.observers.trace_context import TraceContext

log = logging.getLogger(__name__)

SCOPE = InstrumentationScope("modelserver", __version__)
SAMPLED = TraceFlags(TraceFlags.SAMPLED)
NOWHERE = Context()
FINE, FAILED = Status(StatusCode.UNSET), Status(StatusCode.ERROR)


class Tracing:
    """The observer that makes a span of each request that is sampled. What it does is said by the environment."""

    def __init__(self) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # _Reporting says what is worth saying
        named = os.environ.get("OTEL_SERVICE_NAME", "modelserver")
        self._resource = Resource.create({SERVICE_NAME: named, SERVICE_VERSION: __version__})
        self._sampler = TracerProvider(resource=self._resource, shutdown_on_exit=False).sampler
        self._processor = BatchSpanProcessor(_Reporting())

    def finished(self, request: Finished) -> None:
        """Gives `request` the ids of its span, and hands the span over if it is sampled."""
        caller = trace_context(request.asked.headers)
        trace_id, span_id = caller.trace_id if caller else getrandbits(128), getrandbits(64)
        request.span = f"{trace_id:032x}", f"{span_id:016x}"
        parent = _context(caller) if caller else None
        around = set_span_in_context(NonRecordingSpan(parent), NOWHERE) if parent else NOWHERE
        name, attributes = described(request)
        sampling = self._sampler.should_sample(around, trace_id, name, SpanKind.SERVER, attributes)
        if sampling.decision is Decision.RECORD_AND_SAMPLE:
            attributes.update(sampling.attributes)
            context = SpanContext(trace_id, span_id, False, SAMPLED, sampling.trace_state)
            self._record(request, name, attributes, context, parent)

    async def close(self, within_s: float) -> None:
        """Sends what was not sent yet, unless that takes longer than `within_s`."""
        await ended_within(within_s, self._processor.shutdown)

    def _record(
        self,
        request: Finished,
        name: str,
        attributes: Attributes,
        context: SpanContext,
        parent: SpanContext | None,
    ) -> None:
        began = time.time_ns() - _ns(time.perf_counter() - request.started)
        span = ReadableSpan(
            name,
            context,
            parent,
            self._resource,
            attributes,
            events=_events(request, began),
            kind=SpanKind.SERVER,
            status=FAILED if request.status >= 500 else FINE,
            start_time=began,
            end_time=began + _ns(request.seconds),
            instrumentation_scope=SCOPE,
        )
        self._processor.on_end(span)
        if request.run:
            ran = began + _ns(request.run.started - request.started)
            self._record_part("queue", context, began, ran)
            self._record_part("run", context, ran, ran + _ns(request.run.seconds))

    def _record_part(self, name: str, parent: SpanContext, start: int, end: int) -> None:
        context = SpanContext(parent.trace_id, getrandbits(64), False, SAMPLED, parent.trace_state)
        span = ReadableSpan(
            name, context, parent, self._resource, start_time=start, end_time=end, instrumentation_scope=SCOPE
        )
        self._processor.on_end(span)


class _Reporting(SpanExporter):
    """Sends spans to the collector. Logs when that begins to fail, and when it works again: not each time."""

    def __init__(self) -> None:
        self._exporter = OTLPSpanExporter()
        self._outage = Outage(log, "traces are lost, requests are not", "traces are sent again")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """What came of sending `spans`."""
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._outage.worked()
        else:
            self._outage.failed("the collector does not take them; see OTEL_EXPORTER_OTLP_ENDPOINT")
        return result

    def shutdown(self) -> None:
        """Gives up what is being sent."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


def _context(caller: TraceContext) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if caller.is_sampled else TraceFlags.DEFAULT)
    state = TraceState.from_header([caller.state]) if caller.state else None
    return SpanContext(caller.trace_id, caller.span_id, is_remote=True, trace_flags=flags, trace_state=state)


def _events(request: Finished, began: int) -> tuple[Event, ...]:
    if not request.error:
        return ()
    return (Event("exception", exception(request.error), began + _ns(request.seconds)),)


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
