"""The life of a server: listen, load the models, serve until SIGTERM, drain."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from modelserver import termination
from modelserver.app import App
from modelserver.cpus import usable_cpus
from modelserver.errors import ModelInvalid
from modelserver.http.listener import Listener
from modelserver.http.reader import Limits
from modelserver.http.sockets import bind
from modelserver.models.model import Model, load
from modelserver.models.repository import Models
from modelserver.observe.metrics import Metrics
from modelserver.scheduling.probe import Findings, probe
from modelserver.scheduling.scheduler import Scheduler
from modelserver.service import InferenceService
from modelserver.warmup import warm_up

if TYPE_CHECKING:
    from modelserver.settings import ModelSource, Settings

log = logging.getLogger(__name__)

EXIT_MODEL_INVALID = 3
EXIT_AT_ONCE = 128 + signal.SIGTERM
# Load balancers and kube-proxy hear of a pod's end later than the pod itself does.
ACCEPT_WHILE_DRAINING_S = 2.0


async def serve(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT and returns the exit code: 0 after a drain (a second signal ends the process
    at once), 3 when a model cannot be loaded. Raises OSError when the port is taken.
    """
    server = Server(settings)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop_or_exit, stop)
    await server.listen()
    stopped = loop.create_task(stop.wait())
    loading = loop.create_task(server.load_models())
    await asyncio.wait((stopped, loading), return_when=asyncio.FIRST_COMPLETED)
    if loading.done() and (error := loading.exception()):
        return _invalid(error, settings)
    await stopped
    await server.drain()
    return 0


class Server:
    """The parts of a server, put together."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cpus = usable_cpus()
        self._loader = ThreadPoolExecutor(1, "loader")
        self._models = Models((source.name, source.version) for source in settings.models)
        self._metrics = Metrics()
        self._scheduler = Scheduler(self._cpus, self._metrics, settings.request_timeout_s)
        self._app = App(InferenceService(self._models, self._scheduler, self._metrics), settings.max_body_bytes)
        limits = Limits(body_bytes=settings.max_body_bytes, request_s=settings.request_timeout_s)
        self._listener = Listener(self._app.answer, limits)
        self._metrics.ready.set_function(lambda: self._app.ready)
        self._metrics.connections.set_function(lambda: len(self._listener.connections))

    async def listen(self) -> None:
        """Opens the port, before any model is there: probes are answered with the truth meanwhile."""
        sock = bind(self._settings.host, self._settings.port)
        await self._listener.start(sock)
        log.info("listening", extra={"port": sock.getsockname()[1], "threads": self._cpus})

    async def load_models(self) -> None:
        """Loads and warms up every model. Raises ModelInvalid for the first that cannot be loaded."""
        loop = asyncio.get_running_loop()
        for source in self._settings.models:
            model, findings, warm_up_s = await loop.run_in_executor(self._loader, _load, source)
            self._metrics.loaded(model, warm_up_s)
            self._scheduler.add(model, findings)
            self._models.add(model)
            log.info("model ready", extra=_facts(model, findings, warm_up_s))
        log.info("ready")

    async def drain(self) -> None:
        """Finishes what was begun, as `Listener.drain` does."""
        log.info("draining")
        self._app.draining = True
        lost = await self._listener.drain(ACCEPT_WHILE_DRAINING_S, self._settings.request_timeout_s)
        log.info("stopped", extra={"unanswered_connections": lost})


def _load(source: ModelSource) -> tuple[Model, Findings, float]:
    """The model, how to run it, and the seconds that its warm-up took. Raises ModelInvalid."""
    model = load(source.name, source.version, source.path)
    started = time.perf_counter()
    warm_up(model, source.path)
    findings = probe(model, source.path)
    return model, findings, time.perf_counter() - started


def _facts(model: Model, findings: Findings, warm_up_s: float) -> dict[str, object]:
    return {
        "model": model.name,
        "version": model.version,
        "inputs": str(model.signature),
        "max_batch_rows": findings.max_rows,
        "load_s": round(model.load_s, 3),
        "warm_up_s": round(warm_up_s, 3),
    }


def _invalid(error: BaseException, settings: Settings) -> int:
    if not isinstance(error, ModelInvalid):
        raise error
    log.critical("%s", error, extra={"reason": "ModelInvalid"})
    termination.write(settings.termination_log, "ModelInvalid", str(error))
    return EXIT_MODEL_INVALID


def _stop_or_exit(stop: asyncio.Event) -> None:
    if stop.is_set():
        os._exit(EXIT_AT_ONCE)
    stop.set()
