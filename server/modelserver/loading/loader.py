"""Brings models into service and takes them out of it, while requests for others are answered."""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from modelserver.errors import Error, ModelInvalid, ModelNotFound, NotAllowed
from modelserver.loading.trial import ANYTHING, WEIGHTS, check_fits
from modelserver.loading.warmup import warm_up
from modelserver.models.catalogue import Catalogue
from modelserver.models.files import state_of
from modelserver.models.model import Model, load
from modelserver.scheduling.probe import Findings, probe
from modelserver.settings.memory import give_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelserver.models.files import Version
    from modelserver.models.repository import Models
    from modelserver.observe.metrics import Metrics
    from modelserver.scheduling.scheduler import Scheduler
    from modelserver.settings.options import ModelSource
    from modelserver.settings.settings import Settings

    T = TypeVar("T")

log = logging.getLogger(__name__)

NOT_YET = "it was not loaded yet"
UNLOADED = "it was unloaded"
REMOVED = "its files are no longer there"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model that is ready to serve, and what was found out about it."""

    model: Model
    findings: Findings
    warm_up_s: float
    files: Version


def catalogue(settings: Settings) -> Catalogue:
    """The models that these settings let be served."""
    return Catalogue(settings.models, settings.models_dir)


def expected(settings: Settings) -> list[ModelSource]:
    """The models to load at the start: those given by name and, unless models are loaded at run time, those in the
    folder. Raises ModelInvalid for a folder that is none of models.
    """
    return list(settings.models) if settings.model_control else catalogue(settings).everything()


class Loader:
    """All but the work itself happens in the event loop's thread; the work in one thread of its own."""

    def __init__(self, settings: Settings, models: Models, scheduler: Scheduler, metrics: Metrics) -> None:
        self._allowed = settings.model_control
        self._limit = settings.memory_limit_bytes
        self._catalogue = catalogue(settings)
        self._models = models
        self._scheduler = scheduler
        self._metrics = metrics
        self._thread = ThreadPoolExecutor(1, "loader")
        self._loads: dict[str, asyncio.Task[None]] = {}
        self._files: dict[tuple[str, str], Version] = {}

    async def start(self, sources: list[ModelSource]) -> None:
        """Loads what is expected at the start. Raises ModelInvalid for the first that cannot be loaded."""
        for source in sources:
            self._serve(await self._work(_prepared, source, self._limit, WEIGHTS))

    async def load(self, name: str) -> None:
        """Serves the versions of `name` that are in the folder now, and only those; what has not changed since it
        was loaded stays as it is. Until a version is ready, and when it cannot be loaded, the old one is served.

        Raises ModelNotFound, ModelInvalid (ModelTooLarge where memory does not suffice), or NotAllowed where
        nobody may do this.
        """
        self._check_allowed()
        if name not in self._loads:
            self._loads[name] = asyncio.create_task(self._load(name))
            self._loads[name].add_done_callback(lambda _: self._loads.pop(name, None))
        await asyncio.shield(self._loads[name])

    async def unload(self, name: str) -> None:
        """Serves `name` no longer; requests that are here already are answered. Its memory is freed with the last.

        Raises ModelNotFound, or NotAllowed where nobody may do this.
        """
        self._check_allowed()
        if name in self._loads:
            await asyncio.wait([self._loads[name]])
        for version in self._models.versions(name):
            self._stop_serving(name, version, UNLOADED)

    async def look(self) -> None:
        """Makes known what is in the folder by now, without loading it."""
        for name, versions in (await self._work(_listed, self._catalogue)).items():
            self._models.arrange(name, versions, NOT_YET)

    def _check_allowed(self) -> None:
        if not self._allowed:
            raise NotAllowed(
                "models are not loaded or unloaded at run time here; the server allows it when it is started with "
                "--model-control explicit"
            )

    async def _load(self, name: str) -> None:
        sources = await self._work(self._catalogue.versions, name)
        versions = [source.version for source in sources]
        self._models.arrange(name, versions, NOT_YET)
        for source in sources:
            await self._bring(source)
        for version in self._models.versions(name):
            if version not in versions:
                self._stop_serving(name, version, REMOVED)

    async def _bring(self, source: ModelSource) -> None:
        served = source.version in self._models.versions(source.name)
        files = await self._work(state_of, source.path)
        if served and files == self._files[source.name, source.version]:
            return
        self._models.loading(source.name, source.version)
        try:
            self._serve(await self._work(_prepared, source, self._limit, ANYTHING))
        except Error as error:
            log.warning("%s", error, extra={"model": source.name, "version": source.version})
            if not served:
                self._models.remove(source.name, source.version, str(error))
            raise

    def _serve(self, prepared: Prepared) -> None:
        model = prepared.model
        self._files[model.name, model.version] = prepared.files
        self._scheduler.add(model, prepared.findings)
        replaced = self._models.add(model)
        if replaced:
            self._scheduler.remove(replaced)
        self._metrics.loaded(model, prepared.warm_up_s)
        weakref.finalize(model, self._thread.submit, give_back).atexit = False
        log.info("model ready", extra=_facts(prepared))

    def _stop_serving(self, name: str, version: str, reason: str) -> None:
        removed = self._models.remove(name, version, reason)
        if removed:
            self._scheduler.remove(removed)
            self._metrics.unloaded(name, version)
            log.info("model unloaded", extra={"model": name, "version": version, "reason": reason})

    async def _work(self, work: Callable[..., T], *given: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)


def _listed(catalogue: Catalogue) -> dict[str, list[str]]:
    """The versions by name, leaving out what cannot be read: who wants to load that will be told why not."""
    found = {}
    with suppress(ModelInvalid):
        for name in catalogue.names():
            with suppress(ModelInvalid, ModelNotFound):
                found[name] = [source.version for source in catalogue.versions(name)]
    return found


def _prepared(source: ModelSource, limit: int | None, factor: int) -> Prepared:
    """Loads a model, warms it up, and finds out how to run it. Raises ModelInvalid."""
    files = state_of(source.path)
    check_fits(source, limit, factor=factor)
    model = load(source.name, source.version, source.path)
    started = time.perf_counter()
    warm_up(model, source.path)
    findings = probe(model, source.path)
    give_back()
    return Prepared(model, findings, time.perf_counter() - started, files)


def _facts(prepared: Prepared) -> dict[str, object]:
    model = prepared.model
    return {
        "model": model.name,
        "version": model.version,
        "inputs": str(model.signature),
        "max_batch_rows": prepared.findings.max_rows,
        "load_s": round(model.load_s, 3),
        "warm_up_s": round(prepared.warm_up_s, 3),
    }
