"""A handler beside the models of a server: its parts, put together."""

from __future__ import annotations

import asyncio
import os
from copy import copy
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import Counter

from modelserver.handlers import swagger
from modelserver.handlers.calls import Calls
from modelserver.handlers.endpoint import HandlerEndpoint
from modelserver.handlers.headers import Origins
from modelserver.handlers.launch import launch
from modelserver.handlers.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelserver.service import InferenceService
    from modelserver.settings.options import HandlerSource
    from modelserver.settings.settings import Settings


class Handler:
    """Code of the user that answers `/score`, and may ask the models of `service`.

    Raises HandlerInvalid when there is no script.
    """

    def __init__(
        self,
        source: HandlerSource,
        settings: Settings,
        service: InferenceService,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.name = source.name
        self.version = ""  # for metrics: a handler has none
        self._loaded = asyncio.Event()
        threads = max(1, settings.threads // settings.handler_workers)
        models = [model.path for model in settings.models] + ([settings.models_dir] if settings.models_dir else [])
        plan = launch(source.path, models, threads, settings.handler_memory_bytes, environment)
        metrics = service.metrics
        self._pool = Pool(
            source.name,
            plan,
            settings.handler_workers,
            settings.handler_timeout_s,
            Calls(service, self._loaded).exchange,
            metrics.model(self.name, self.version),
            Counter(
                "modelserver_handler_restarts",
                "Processes of the handler that were started in place of one that had ended.",
                registry=metrics.registry,
            ),
        )
        self._new_endpoint = partial(
            HandlerEndpoint,
            self._pool,
            swagger.Service.of(environment, plan.directory),
            Origins(environment.get("AML_CORS_ORIGINS", "")),
            guarded=settings.api_keys is not None or settings.jwt is not None,
        )
        self.endpoint = self._new_endpoint(service, self)

    def behind(self, service: InferenceService) -> Handler:
        """The same handler, whose requests are counted and observed as those of `service`."""
        other = copy(self)
        other.endpoint = self._new_endpoint(service, self)
        return other

    @property
    def ready(self) -> bool:
        """Whether requests are likely to be answered."""
        return self._pool.ready

    def state(self) -> dict[str, object]:
        """What `/healthcheck` tells of it."""
        trouble = {"reason": self._pool.trouble} if self._pool.trouble else {}
        return {"name": self.name, "ready": self.ready, **trouble}

    async def start(self, loading: asyncio.Task[None]) -> None:
        """Returns when `init` has ended in every process. Raises HandlerInvalid when that does not go well.

        What `init` asks of the models is answered when they are there: when `loading` is over.
        """
        loading.add_done_callback(lambda _: self._loaded.set())
        await self._pool.start()

    async def close(self) -> None:
        """Ends the processes."""
        await self._pool.close()
