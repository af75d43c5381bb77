"""What the server answers over HTTP: the routes, and the endpoints that need no module of their own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from modelserver import __version__
from modelserver.errors import BadRequest, Error, Unavailable
from modelserver.http.message import Deferred, Response
from modelserver.http.router import Route, Router
from modelserver.observe import metrics
from modelserver.protocols import oip, score
from modelserver.protocols.tensors import dumps
from modelserver.service import DEFECT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelserver.http.message import Request
    from modelserver.http.router import Parameters
    from modelserver.protocols.inference import Dialect
    from modelserver.service import InferenceService

log = logging.getLogger(__name__)


class App:
    """Answers every request that arrives; `draining` makes it say that no more should be sent."""

    def __init__(self, service: InferenceService, more: Iterable[Route] = ()) -> None:
        self.draining = False
        self._service = service
        self._models = service.models
        self._router = Router((*self._routes(), *more))

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here."""
        return self._models.ready and not self.draining

    def answer(self, request: Request) -> Response | Deferred:
        """The response to `request`, now or later. Never raises."""
        try:
            return self._router.answer(request)
        except Error as error:
            return oip.refusal(error)
        except Exception:
            log.exception("a request met a defect of the server")
            return oip.refusal(Error(DEFECT))

    def _routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/", self._alive),
            Route("GET", "/healthcheck", self._health),
            Route("GET", "/metrics", self._show_metrics),
            Route("GET", "/score", self._usage),
            Route("POST", "/score", self._score),
            Route("GET", "/v2", self._server_metadata),
            Route("GET", "/v2/health/live", self._live),
            Route("GET", "/v2/health/ready", self._ready),
            *(
                Route(method, prefix + path, endpoint)
                for prefix in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")
                for method, path, endpoint in (
                    ("GET", "", self._model_metadata),
                    ("GET", "/ready", self._model_ready),
                    ("POST", "/infer", self._infer),
                )
            ),
        )

    # What can be answered at once

    def _alive(self, _: Request, __: Parameters) -> Response:
        return Response(200, b"Healthy", "text/plain")

    def _health(self, _: Request, __: Parameters) -> Response:
        status = "draining" if self.draining else "ready" if self._models.ready else "loading"
        models = [{"name": model.name, "version": model.version} for model in self._models]
        return _json(200 if self.ready else 503, {"status": status, "models": models})

    def _show_metrics(self, _: Request, __: Parameters) -> Response:
        return Response(200, self._service.metrics.text(), metrics.CONTENT_TYPE)

    def _server_metadata(self, _: Request, __: Parameters) -> Response:
        return _json(200, {"name": "modelserver", "version": __version__, "extensions": []})

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

    # What a model has to run for

    def _score(self, request: Request, parameters: Parameters) -> Response | Deferred:
        return self._run(score, request, parameters.get("model_name"), None)

    def _infer(self, request: Request, parameters: Parameters) -> Response | Deferred:
        return self._run(oip, request, parameters["name"], parameters.get("version"))

    def _run(
        self, dialect: Dialect[Request, Response], request: Request, name: str | None, version: str | None
    ) -> Deferred:
        _check_plain(request)
        later = Deferred()
        self._service.infer(dialect, request, name, version, len(request.body), later.resolve)
        return later


def _json(status: int, value: Any) -> Response:
    return Response(status, dumps(value))


def _check_plain(request: Request) -> None:
    encoding = request.headers.get(b"content-encoding", b"identity").lower()
    if encoding != b"identity":
        raise BadRequest(f"a body compressed with {encoding.decode('latin-1')} cannot be read; send it as it is")
