"""The observers that the environment and the live settings ask for, put together.

Each is imported when it is wanted: most servers want none, and should start quickly.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Protocol

from prometheus_client import Counter

from modelserver.observers.agreement import Agreement

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from prometheus_client import CollectorRegistry

    from modelserver.live.settings import LiveSettings, MirrorSettings, RequestLogSettings
    from modelserver.observers.finished import Observer
    from modelserver.observers.mirror import Mirror
    from modelserver.observers.request_log import LogWriter, RequestLog
    from modelserver.observers.tracing import Tracing

log = logging.getLogger(__name__)

CLOSE_S = 3.0
PROTOCOL = "http/protobuf"


class Watched(Protocol):
    """What has observers: the service."""

    observers: tuple[Observer, ...]


class Observers:
    """Tells `watched` which observers are wanted, whenever that changes, in the event loop's thread.

    `with_credentials`: the mirror gets what callers prove with who they are, because this server asks for it.
    """

    def __init__(self, watched: Watched, registry: CollectorRegistry, *, with_credentials: bool) -> None:
        self._watched = watched
        self._with_credentials = with_credentials
        self._tracing: Tracing | None = None
        self._log: RequestLog | None = None
        self._log_settings: RequestLogSettings | None = None
        self._writer: LogWriter | None = None
        self._mirror: Mirror | None = None
        self._mirror_settings: MirrorSettings | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._mirrored = Counter(
            "modelserver_mirrored_requests",
            "Requests that were sent again to the mirror, by the status of its answer, error or dropped.",
            ["outcome"],
            registry=registry,
        )
        self._agreement = Agreement()
        registry.register(self._agreement)
        self._logged = Counter(
            "modelserver_request_log_lines",
            "Lines of the request log that were written or dropped.",
            ["outcome"],
            registry=registry,
        )

    def trace(self, environment: Mapping[str, str] = os.environ) -> None:
        """Traces requests from now on, if the standard variables of OpenTelemetry say where to."""
        if wants_traces(environment):
            from modelserver.observers.tracing import Tracing  # noqa: PLC0415  # 0.1 s and 14 MB

            self._tracing = Tracing()
            self._changed()

    def apply(self, wanted: LiveSettings) -> None:
        """Logs and mirrors requests as `wanted` says, from now on."""
        mirror = wanted.mirror if wanted.mirror and wanted.mirror.percent else None
        request_log = wanted.request_log if wanted.request_log and wanted.request_log.percent else None
        if mirror != self._mirror_settings:
            self._apply_mirror(mirror)
        if request_log != self._log_settings:
            self._apply_log(request_log)
        self._changed()

    async def close(self) -> None:
        """Sends and writes what was not yet, for CLOSE_S at most. Requests that follow are seen by nobody."""
        if self._tracing:
            self._in_background(self._tracing.close(CLOSE_S))
            self._tracing = None
        self._apply_mirror(None)
        self._apply_log(None)
        self._changed()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _apply_mirror(self, wanted: MirrorSettings | None) -> None:
        self._mirror_settings = wanted
        if self._mirror:
            self._in_background(self._mirror.close())
            self._mirror = None
        if wanted:
            from modelserver.observers.mirror import Mirror  # noqa: PLC0415

            self._mirror = Mirror(wanted, self._mirrored, self._agreement, with_credentials=self._with_credentials)
            self._in_background(self._mirror.open())

    def _apply_log(self, wanted: RequestLogSettings | None) -> None:
        before, self._log_settings = self._log_settings, wanted
        if self._writer and not (before and wanted and _place(before) == _place(wanted)):
            self._in_background(self._writer.close(CLOSE_S))
            self._writer = None
        self._log = self._new_log(wanted) if wanted else None

    def _new_log(self, wanted: RequestLogSettings) -> RequestLog:
        from modelserver.observers.request_log import LogWriter, RequestLog  # noqa: PLC0415
        from modelserver.observers.sinks import sink  # noqa: PLC0415

        self._writer = self._writer or LogWriter(sink(wanted), self._logged)
        return RequestLog(self._writer, wanted)

    def _changed(self) -> None:
        """Tracing comes first: it gives requests the ids that the others write down."""
        self._watched.observers = tuple(each for each in (self._tracing, self._log, self._mirror) if each)

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def wants_traces(environment: Mapping[str, str]) -> bool:
    """Whether the standard variables name a collector of traces; logs where they name one that cannot be used."""
    endpoint = _first(environment, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    exporter = environment.get("OTEL_TRACES_EXPORTER") or ("otlp" if endpoint else "none")
    if exporter == "none" or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    protocol = _first(environment, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL") or PROTOCOL
    if exporter != "otlp" or protocol != PROTOCOL:
        log.error("traces are sent as otlp over %s only, not as %s over %s", PROTOCOL, exporter, protocol)
        return False
    return True


def _first(environment: Mapping[str, str], *names: str) -> str:
    return next(filter(None, map(environment.get, names)), "")


def _place(settings: RequestLogSettings) -> tuple[str, str | None]:
    return settings.to, settings.credentials
