"""What the server answers over HTTP: the routes, and the endpoints that need no module of their own."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from modelserver import __version__
from modelserver.auth.open_paths import is_open
from modelserver.errors import Error, Unauthorized, Unavailable
from modelserver.http.compression import transparent
from modelserver.http.message import Deferred, Response
from modelserver.http.router import ANY, Route, Router
from modelserver.management.descriptions import EXTENSIONS
from modelserver.observe import metrics
from modelserver.protocols import oip, score
from modelserver.protocols.tensors import dumps
from modelserver.service import DEFECT

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from modelserver.auth.authenticator import Authenticator
    from modelserver.handlers.handler import Handler
    from modelserver.http.message import Request
    from modelserver.http.router import Parameters
    from modelserver.service import InferenceService

log = logging.getLogger(__name__)


class App:
    """Answers every request that arrives; `draining` makes it say that no more should be sent, and `checking` that
    none should be yet.
    """

    def __init__(
        self,
        service: InferenceService,
        max_body_bytes: int,
        more: Iterable[Route] = (),
        authenticator: Authenticator | None = None,
        handler: Handler | None = None,
    ) -> None:
        self.draining = self.checking = False
        self._handler = handler
        self._service = service
        self._authenticator = authenticator
        self._models = service.models
        self._max_body_bytes = max_body_bytes
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps no task alive
        self._router = Router((*more, *self._routes()))

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here."""
        is_loaded = self._models.ready and (not self._handler or self._handler.ready)
        return is_loaded and not self.checking and not self.draining

    def takes(self, method: str, target: str) -> bool:
        """Whether there is an endpoint for `method` at `target`."""
        return self._router.has(method, target)

    def answer(self, request: Request) -> Response | Deferred[Response]:
        """The response to `request`, now or later. Never raises."""
        try:
            if self._authenticator and not is_open(request.method, request.target):
                self._authenticator.check(request.headers)
            answer = self._router.answer(request)
        except Exception as error:
            return _refusal(request, error)
        if isinstance(answer, (Response, Deferred)):
            return answer
        later: Deferred[Response] = Deferred()
        task = self._loop.create_task(self._resolve(later, request, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return later

    async def _resolve(
        self, later: Deferred[Response], request: Request, answer: Coroutine[None, None, Response]
    ) -> None:
        try:
            response = await answer
        except Exception as error:
            response = _refusal(request, error)
        later.resolve(response)

    def _routes(self) -> tuple[Route, ...]:
        handled = Route(ANY, "/score", transparent(self._handled, self._max_body_bytes))
        return (
            *((handled,) if self._handler else ()),
            Route("GET", "/", self._alive),
            Route("GET", "/healthcheck", self._health),
            Route("GET", "/metrics", self._show_metrics),
            Route("GET", "/swagger.json", self._swagger),
            Route("GET", "/score", self._usage),
            Route("POST", "/score", transparent(self._score, self._max_body_bytes)),
            Route("GET", "/v2", self._server_metadata),
            Route("GET", "/v2/health/live", self._live),
            Route("GET", "/v2/health/ready", self._ready),
            *(
                Route(method, prefix + path, endpoint)
                for prefix in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")
                for method, path, endpoint in (
                    ("GET", "", self._model_metadata),
                    ("GET", "/ready", self._model_ready),
                    ("POST", "/infer", transparent(self._infer, self._max_body_bytes)),
                )
            ),
        )

    # What can be answered at once

    def _alive(self, _: Request, __: Parameters) -> Response:
        return Response(200, b"Healthy", "text/plain")

    def _health(self, _: Request, __: Parameters) -> Response:
        status = "draining" if self.draining else "ready" if self.ready else "loading"
        models = [{"name": model.name, "version": model.version} for model in self._models]
        handler = {"handler": self._handler.state()} if self._handler else {}
        return _json(200 if self.ready else 503, {"status": status, "models": models, **handler})

    def _show_metrics(self, _: Request, __: Parameters) -> Response:
        return Response(200, self._service.metrics.text(), metrics.CONTENT_TYPE)

    def _server_metadata(self, _: Request, __: Parameters) -> Response:
        extensions = [*oip.EXTENSIONS, *EXTENSIONS]
        return _json(200, {"name": "modelserver", "version": __version__, "extensions": extensions})

    def _live(self, _: Request, __: Parameters) -> Response:
        return _json(200, {"live": True})

    def _ready(self, _: Request, __: Parameters) -> Response:
        return _json(200 if self.ready else 503, {"ready": self.ready})

    def _model_ready(self, _: Request, parameters: Parameters) -> Response:
        try:
            self._models.find(parameters["name"], parameters.get("version"))
        except Unavailable:
            return _json(503, {"name": parameters["name"], "ready": False})
        return _json(200, {"name": parameters["name"], "ready": True})

    def _model_metadata(self, _: Request, parameters: Parameters) -> Response:
        name = parameters["name"]
        model = self._models.find(name, parameters.get("version"))
        return _json(200, oip.metadata(model, self._models.versions(name)))

    def _usage(self, _: Request, parameters: Parameters) -> Response:
        if name := parameters.get("model_name"):
            return _json(200, score.usage(self._models.find(name)))
        usages = [score.usage(model) for model in self._models]
        return _json(200, usages[0] if len(usages) == 1 else {"models": usages})

    def _swagger(self, request: Request, parameters: Parameters) -> Response:
        if self._handler:
            return self._handler.endpoint.swagger(request, parameters)
        from modelserver.handlers.swagger import answer  # noqa: PLC0415  # few ask

        return answer([*self._models], parameters.get("version", "2"))

    # What a model or the handler has to run for

    def _handled(self, request: Request, parameters: Parameters) -> Response | Deferred[Response]:
        """`/score` of a server with a handler; what names a model is for that model, if there are any."""
        is_for_a_model = "model_name" in parameters and any(self._models.entries())
        if is_for_a_model and request.method == "POST":
            return self._score(request, parameters)
        if not self._handler or (is_for_a_model and request.method in ("GET", "HEAD")):
            return self._usage(request, parameters)
        return self._handler.endpoint.score(request)

    def _score(self, request: Request, parameters: Parameters) -> Response | Deferred[Response]:
        name = parameters.get("model_name")
        if name is None and self._models.are_several:
            name = score.model_name(request)
        return self._service.infer(score, request, name, None, len(request.body))

    def _infer(self, request: Request, parameters: Parameters) -> Response | Deferred[Response]:
        version = parameters.get("version")
        return self._service.infer(oip, request, parameters["name"], version, len(request.body))


def _json(status: int, value: Any) -> Response:
    return Response(status, dumps(value))


def _refusal(request: Request, error: Exception) -> Response:
    """The answer to a request that met `error` before any protocol could deal with it."""
    if not isinstance(error, Error):
        log.error("a request met a defect of the server", exc_info=error)
        error = Error(DEFECT)
    refusal = score.refusal(error) if request.target.startswith("/score") else oip.refusal(error)
    if isinstance(error, Unauthorized):
        return replace(refusal, headers=(("WWW-Authenticate", error.challenge),))
    return refusal
