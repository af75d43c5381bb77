"""From a request to its answer: which endpoint it means, and running the models it asks for."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from typing import TYPE_CHECKING

from modelserver import __version__, metrics, oip, score
from modelserver.errors import BadRequest, Error, ModelFailed, ModelUnavailable
from modelserver.http.message import Request, Response
from modelserver.tensors import dumps

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from modelserver.inference import Dialect, Inference
    from modelserver.model import Model
    from modelserver.models import Models

    Handler = Callable[[Request], Response | asyncio.Future[Response]]

log = logging.getLogger(__name__)

MODEL_PATH = re.compile(r"/v2/models/(?P<name>[^/]+)(/versions/(?P<version>[^/]+))?(/(?P<action>ready|infer))?")
COMPLAINT_EVERY_S = 10.0


class App:
    """Answers every request that arrives; `draining` makes it say that no more should be sent."""

    def __init__(self, models: Models, threads: Executor, meters: metrics.Metrics) -> None:
        self.draining = False
        self._models = models
        self._threads = threads
        self._metrics = meters
        self._loop = asyncio.get_running_loop()
        self._next_complaint = 0.0
        self._endpoints: dict[str, dict[str, Handler]] = {
            "/": {"GET": self._alive},
            "/healthcheck": {"GET": self._health},
            "/metrics": {"GET": self._show_metrics},
            "/score": {"GET": self._usage, "POST": self._score},
            "/v2": {"GET": self._server_metadata},
            "/v2/health/live": {"GET": self._live},
            "/v2/health/ready": {"GET": self._ready},
        }

    @property
    def ready(self) -> bool:
        """Whether requests should be sent here."""
        return self._models.ready and not self.draining

    def answer(self, request: Request) -> Response | asyncio.Future[Response]:
        """The response to `request`, now or later. Never raises."""
        try:
            return self._answer(request)
        except Error as error:
            return _refusal(error)
        except Exception:
            log.exception("a request met a defect of the server")
            return _refusal(Error("the server failed on this request; its log says why"))

    def _answer(self, request: Request) -> Response | asyncio.Future[Response]:
        path = request.path
        methods = self._endpoints.get(path) or self._model_endpoint(path)
        if not methods:
            return Response.error(404, f"there is nothing at {path}; try GET /score or GET /v2")
        handler = methods.get("GET" if request.method == "HEAD" else request.method)
        if not handler:
            allowed = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)
            return Response.error(405, f"{path} answers to {allowed} only", ("Allow", allowed))
        return handler(request)

    def _model_endpoint(self, path: str) -> dict[str, Handler]:
        found = MODEL_PATH.fullmatch(path)
        if not found:
            return {}
        name, version = found["name"], found["version"]
        match found["action"]:
            case "infer":
                return {
                    "POST": lambda request: self._infer(oip, request, lambda: self._models.find(name, version))
                }
            case "ready":
                return {"GET": lambda _: self._model_ready(name, version)}
            case _:
                return {"GET": lambda _: self._model_metadata(name, version)}

    # What can be answered at once

    def _alive(self, _: Request) -> Response:
        return Response(200, b"Healthy", "text/plain")

    def _health(self, _: Request) -> Response:
        status = "draining" if self.draining else "ready" if self._models.ready else "loading"
        models = [{"name": model.name, "version": model.version} for model in self._models]
        return _json(200 if self.ready else 503, {"status": status, "models": models})

    def _show_metrics(self, _: Request) -> Response:
        return Response(200, self._metrics.text(), metrics.CONTENT_TYPE)

    def _server_metadata(self, _: Request) -> Response:
        return _json(200, {"name": "modelserver", "version": __version__, "extensions": []})

    def _live(self, _: Request) -> Response:
        return _json(200, {"live": True})

    def _ready(self, _: Request) -> Response:
        return _json(200 if self.ready else 503, {"ready": self.ready})

    def _model_ready(self, name: str, version: str | None) -> Response:
        try:
            self._models.find(name, version)
        except ModelUnavailable:
            return _json(503, {"name": name, "ready": False})
        return _json(200, {"name": name, "ready": True})

    def _model_metadata(self, name: str, version: str | None) -> Response:
        return _json(200, oip.metadata(self._models.find(name, version), self._models.versions(name)))

    def _usage(self, request: Request) -> Response:
        if name := request.query.get("model_name"):
            return _json(200, score.usage(self._models.find(name)))
        usages = [score.usage(model) for model in self._models]
        return _json(200, usages[0] if len(usages) == 1 else {"models": usages})

    # What a model has to run for

    def _score(self, request: Request) -> Response | asyncio.Future[Response]:
        name = request.query.get("model_name")
        return self._infer(score, request, lambda: self._models.find(name) if name else self._models.only())

    def _infer(
        self, dialect: Dialect, request: Request, find: Callable[[], Model]
    ) -> Response | asyncio.Future[Response]:
        """Runs the inference that `request` asks for in the words of `dialect`, and counts it however it ends."""
        started, model = time.perf_counter(), None
        try:
            model = find()
            _check_plain(request)
            inference = dialect.parse(model, request)
        except Error as error:
            return self._counted(_refusal(error), model, dialect, started)
        return self._loop.create_task(self._run(model, inference, dialect, started))

    async def _run(self, model: Model, inference: Inference, dialect: Dialect, started: float) -> Response:
        try:
            with self._metrics.in_flight.track_inprogress():
                body = inference.answer(await self._outputs(model, inference))
            response = Response(200, body)
        except ModelFailed as error:
            self._complain(model, error)
            response = _refusal(error)
        except Exception:
            log.exception("an inference met a defect of the server", extra={"model": model.name})
            response = _refusal(Error("the server failed on this request; its log says why"))
        return self._counted(response, model, dialect, started)

    async def _outputs(self, model: Model, inference: Inference) -> list[object]:
        with self._metrics.inference_seconds.labels(model.name, model.version).time():
            return await self._loop.run_in_executor(self._threads, model.run, inference.feed, inference.outputs)

    def _counted(self, response: Response, model: Model | None, dialect: Dialect, started: float) -> Response:
        self._metrics.answered(model, dialect.NAME, response.status, time.perf_counter() - started)
        return response

    def _complain(self, model: Model, error: ModelFailed) -> None:
        """Logs that a model fails, but not once per request."""
        now = time.monotonic()
        if now >= self._next_complaint:
            self._next_complaint = now + COMPLAINT_EVERY_S
            log.error("%s", error, extra={"model": model.name, "version": model.version})


def _json(status: int, value: object) -> Response:
    return Response(status, dumps(value))


def _refusal(error: Error) -> Response:
    retry = (("Retry-After", "1"),) if error.status == 503 else ()
    return Response.error(error.status, str(error), *retry)


def _check_plain(request: Request) -> None:
    encoding = request.headers.get(b"content-encoding", b"identity").lower()
    if encoding != b"identity":
        raise BadRequest(f"a body compressed with {encoding.decode('latin-1')} cannot be read; send it as it is")
