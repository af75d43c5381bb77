"""`/score` and `/swagger.json` of a server with a handler, as Azure ML's inference server answers them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from modelserver import __version__
from modelserver.errors import Error, Unavailable
from modelserver.handlers import headers, swagger
from modelserver.handlers.frames import Frame
from modelserver.handlers.pool import HandlerFailed
from modelserver.handlers.worker import answer
from modelserver.http.message import Deferred, Response
from modelserver.observers.finished import Finished

if TYPE_CHECKING:
    from modelserver.handlers.headers import Headers, Origins
    from modelserver.handlers.pool import Pool
    from modelserver.handlers.swagger import Service
    from modelserver.handlers.worker.answer import Answer
    from modelserver.http.message import Request
    from modelserver.http.router import Parameters
    from modelserver.observe.metrics import Served
    from modelserver.service import InferenceService

PROTOCOL = "score"
SERVER = ("x-ms-server-version", f"modelserver/{__version__}")
METHODS = ("GET", "POST", "OPTIONS", "HEAD")
NOT_ALLOWED = "The method is not allowed for the requested URL."
NOT_READY = "the handler is still starting; try again in a moment"


class HandlerEndpoint:
    """Passes requests on to the handler's processes, and makes responses of what they answer.

    Where callers have to prove who they are, OPTIONS is `guarded`: browsers ask it without any proof, so it is not
    passed on.
    """

    def __init__(
        self,
        pool: Pool,
        about: Service,
        origins: Origins,
        service: InferenceService,
        served: Served,
        guarded: bool,
    ) -> None:
        self._pool = pool
        self._about = about
        self._origins = origins
        self._service = service
        self._served = served
        self._guarded = guarded

    def score(self, request: Request) -> Response | Deferred[Response]:
        """What `run` answers, later."""
        if request.method not in METHODS:
            return _response(answer.message(405, NOT_ALLOWED), (("Allow", ", ".join(METHODS)),))
        try:
            own = self._headers(request)
        except headers.IdTooLong as error:
            return _response(answer.message(431, str(error)), (SERVER,))
        if self._guarded and request.method == "OPTIONS":
            return _response(answer.empty(), own)
        return self._run(request, own)

    def swagger(self, request: Request, parameters: Parameters) -> Response:
        """The document about what `run` takes and returns."""
        try:
            own = self._headers(request)
        except headers.IdTooLong as error:
            return _response(answer.message(431, str(error)), (SERVER,))
        if self._pool.interface is None:
            return _response(_refusal(Unavailable(NOT_READY)), own)
        try:
            text = json.dumps(swagger.document(self._about, self._pool.interface, parameters.get("version", "2")))
        except swagger.NoSuchVersion as error:
            return _response(answer.message(404, str(error)), own)
        return Response(200, text.encode(), answer.JSON, ((answer.FAILED, "False"), *own))

    def _headers(self, request: Request) -> Headers:
        """Those that every answer gets. Raises IdTooLong."""
        return (*headers.ids(request), SERVER, *self._origins.headers(request.headers))

    def _run(self, request: Request, own: Headers) -> Deferred[Response]:
        started = time.perf_counter()
        later: Deferred[Response] = Deferred()

        def answered(result: Frame | Error) -> None:
            response = _passed_on(result, own) if isinstance(result, Frame) else _response(_refusal(result), own)
            seconds = time.perf_counter() - started
            meter = self._service.meter(self._served, PROTOCOL, request)
            meter.answered(response.status, seconds, len(request.body), len(response))
            later.resolve(response)
            if self._service.observers:
                finished = _finished(request, self._served, result, response, started, seconds)
                self._service.observe(finished)

        try:
            self._pool.submit(_head(request), request.body, answered)
        except Unavailable as error:
            answered(error)
        return later


def _head(request: Request) -> dict[str, object]:
    named = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.items()]
    return {"method": request.method, "target": request.target, "headers": named}


def _passed_on(frame: Frame, own: Headers) -> Response:
    """What the process answers, with the server's own headers in place of any of the same name."""
    head = frame.head
    replaced = {name.lower() for name, _ in own} | {headers.REQUEST_ID}
    kept = [(name, value) for name, value in head["headers"] if name.lower() not in replaced]
    return Response(head["status"], bytes(frame.buffers[0]), head["content_type"], (*kept, *own))


def _refusal(error: Error) -> Answer:
    return answer.message(error.status, str(error), failed=isinstance(error, HandlerFailed))


def _response(found: Answer, more: Headers) -> Response:
    again = (("Retry-After", "1"),) if found.status == Unavailable.status else ()
    return Response(found.status, found.body, found.content_type, (*found.headers, *more, *again))


def _finished(
    request: Request, served: Served, result: Frame | Error, response: Response, started: float, seconds: float
) -> Finished:
    return Finished(
        protocol=PROTOCOL,
        asked=request,
        model=None,
        inference=None,
        values=None,
        error=result if isinstance(result, Error) else None,
        status=response.status,
        answer=response,
        started=started,
        seconds=seconds,
        run=None,
        handler=served,
    )
