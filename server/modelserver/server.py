"""The life of a server: listen, load the models, serve until SIGTERM, drain."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from importlib import import_module
from typing import TYPE_CHECKING

from modelserver import termination
from modelserver.app import App
from modelserver.auth.authenticator import authenticator
from modelserver.errors import HandlerInvalid, ModelInvalid, SmokeFailed, SmokeInvalid
from modelserver.http.listener import Listener
from modelserver.http.reader import Limits
from modelserver.http.sockets import bind, room
from modelserver.loading.loader import Loader, expected
from modelserver.management import routes as management
from modelserver.models.repository import Models
from modelserver.observe.metrics import Metrics
from modelserver.observers.observers import Observers
from modelserver.openapi import routes as openapi
from modelserver.scheduling.scheduler import Scheduler
from modelserver.service import InferenceService

if TYPE_CHECKING:
    import socket

    from prometheus_client import CollectorRegistry

    from modelserver.grpc.listener import Listener as GrpcListener
    from modelserver.handlers.handler import Handler
    from modelserver.http.router import Route
    from modelserver.live.live import Live
    from modelserver.settings.settings import Settings
    from modelserver.smoke.smoke import Smoke

log = logging.getLogger(__name__)

EXIT_INVALID = 3
# What ends the process, for the reason of that name.
INVALID = (ModelInvalid, HandlerInvalid, SmokeInvalid, SmokeFailed)
EXIT_AT_ONCE = 128 + signal.SIGTERM
HEAD_START_S = 0.2
# Few objects of a request know each other in a circle: looking for circles every 700 objects took 3 % of the time.
GARBAGE = 10_000
# What large bodies that are not answered yet may hold together, or two of the largest.
HELD_BYTES = 256 * 1024 * 1024


async def serve(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT and returns the exit code: 0 after a drain (a second signal ends the process
    at once), 3 when a model or the handler cannot be loaded, or does not answer the golden samples. Raises OSError
    when the port is taken.
    """
    try:
        server = Server(settings)
    except INVALID as mistake:
        return _invalid(mistake, settings)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop_or_exit, stop)
    await server.listen()
    stopped = loop.create_task(stop.wait())
    loading = loop.create_task(server.load_models())
    await asyncio.wait((stopped, loading), return_when=asyncio.FIRST_COMPLETED)
    if loading.done() and (error := loading.exception()):
        await server.close()
        return _invalid(error, settings)
    await stopped
    await server.drain()
    return 0


class Server:
    """The parts of a server, put together."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sources = expected(settings)
        self._models = Models((source.name, source.version) for source in self._sources)
        self._metrics = Metrics()
        self._scheduler = Scheduler(settings.threads, self._metrics, settings.request_timeout_s)
        self._loader = Loader(settings, self._models, self._scheduler, self._metrics)
        self._authenticator = authenticator(settings)
        service = self._service = InferenceService(self._models, self._scheduler, self._metrics)
        registry = self._metrics.registry
        self._observers = Observers(service, registry, with_credentials=self._authenticator is not None)
        self._live = _live(settings, registry)
        self._handler = _handler(settings, service)
        self._smoke = self._golden_samples()
        self._app = App(
            service,
            settings.max_body_bytes,
            self._more_routes(),
            self._authenticator,
            self._handler,
        )
        self._app.checking = self._smoke is not None
        limits = Limits(
            body_bytes=settings.max_body_bytes,
            request_s=settings.request_timeout_s,
            connections=room(settings.max_connections),
            held_bytes=max(HELD_BYTES, 2 * settings.max_body_bytes),
        )
        self._listener = Listener(self._app.answer, limits)
        self._grpc_sock: socket.socket | None = None
        self._grpc: GrpcListener | None = None
        self._metrics.ready.set_function(lambda: self._app.ready)
        self._metrics.connections.set_function(self._connections)

    def _connections(self) -> int:
        return sum(len(port.connections) for port in (self._listener, self._grpc) if port)

    def _more_routes(self) -> list[Route]:
        secured, has_handler = self._settings.api_keys or self._settings.jwt, self._settings.handler
        return [
            *management.routes(self._models, self._loader, self._metrics),
            *openapi.routes(self._models, secured=bool(secured), has_handler=bool(has_handler)),
        ]

    def _golden_samples(self) -> Smoke | None:
        """They pass by authentication and observers, and are counted apart."""
        if not self._settings.smoke:
            return None
        from modelserver.smoke.smoke import Smoke  # noqa: PLC0415  # most servers have none

        service = InferenceService(self._models, self._scheduler, self._metrics, counted_as="smoke")
        handler = self._handler.behind(service) if self._handler else None
        app = App(service, self._settings.max_body_bytes, handler=handler)
        return Smoke(self._settings.smoke, app, self._models)

    async def listen(self) -> None:
        """Opens the ports, before any model is there: probes are answered with the truth meanwhile."""
        sock = bind(self._settings.host, self._settings.port)
        ports = {"port": sock.getsockname()[1]}
        if self._settings.grpc_port is not None:
            self._grpc_sock = bind(self._settings.host, self._settings.grpc_port)
            ports["grpc_port"] = self._grpc_sock.getsockname()[1]
        if self._authenticator:
            self._authenticator.start()
        await self._listener.start(sock)
        self._observers.trace()
        if self._live:
            self._live.subscribe(self._observers.apply)
            self._live.subscribe(lambda settings: self._scheduler.limit(settings.batching))
            self._live.start()
        log.info("listening", extra={**ports, "threads": self._settings.threads})

    async def load_models(self) -> None:
        """Loads and warms up every model, starts the handler, and asks both the golden samples. Raises
        ModelInvalid or HandlerInvalid for the first that is, or SmokeFailed.
        """
        loading = asyncio.create_task(self._loader.start(self._sources))
        handler = (self._handler.start(loading),) if self._handler else ()
        await asyncio.gather(loading, self._start_grpc(loading), *handler)
        if self._smoke:
            await self._smoke.check()
            self._app.checking = False
        # What is there by now stays: the garbage collector need not look at it again, which takes it 10 ms.
        gc.freeze()
        gc.set_threshold(GARBAGE)
        log.info("ready")

    async def _start_grpc(self, loading: asyncio.Task[None]) -> None:
        """Answers on gRPC's port, where whoever connects waits until then. What it takes is imported in a thread,
        when models and HTTP have had their start.
        """
        if self._grpc_sock:
            await asyncio.wait((loading,), timeout=HEAD_START_S)
            serving = await asyncio.to_thread(import_module, "modelserver.grpc.serving")
            self._grpc = serving.listener(
                self._service,
                self._loader,
                lambda: self._app.ready,
                self._authenticator,
                self._listener.limits,
                self._listener.hold,
            )
            await self._grpc.start(self._grpc_sock)

    async def drain(self) -> None:
        """Finishes what was begun, as `Listener.drain` does."""
        log.info("draining")
        self._app.draining = True
        listeners = (self._listener, self._grpc) if self._grpc else (self._listener,)
        times = (self._settings.shutdown_delay_s, self._settings.request_timeout_s)
        lost = sum(await asyncio.gather(*(listener.drain(*times) for listener in listeners)))
        await self.close()
        await self._observers.close()
        log.info("stopped", extra={"unanswered_connections": lost})

    async def close(self) -> None:
        """Ends the handler's processes, which would else be missed, and started again."""
        if self._handler:
            await self._handler.close()


def _live(settings: Settings, registry: CollectorRegistry) -> Live | None:
    if not settings.live_settings:
        return None
    from modelserver.live.live import Live  # noqa: PLC0415  # most servers have no such file

    return Live(settings.live_settings, registry)


def _handler(settings: Settings, service: InferenceService) -> Handler | None:
    if not settings.handler:
        return None
    from modelserver.handlers.handler import Handler  # noqa: PLC0415  # most servers have none

    return Handler(settings.handler, settings, service)


def _invalid(error: BaseException, settings: Settings) -> int:
    reason = next((kind.__name__ for kind in INVALID if isinstance(error, kind)), None)
    if reason is None:
        raise error
    log.critical("%s", error, extra={"reason": reason})
    termination.write(settings.termination_log, reason, str(error))
    return EXIT_INVALID


def _stop_or_exit(stop: asyncio.Event) -> None:
    if stop.is_set():
        os._exit(EXIT_AT_ONCE)
    stop.set()
