"""The models over REST: index, load, unload, configuration and statistics, with Triton's paths and bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelserver.errors import BadRequest
from modelserver.http.message import Response
from modelserver.http.router import Route
from modelserver.management import descriptions
from modelserver.protocols.tensors import dumps, loads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelserver.http.message import Request
    from modelserver.http.router import Parameters
    from modelserver.loading.loader import Loader
    from modelserver.models.repository import Models
    from modelserver.observe.metrics import Metrics

VERSION = "/v2/models/{name}/versions/{version}"
# `unload_dependents` is about ensembles, of which there are none.
WITHOUT_MEANING = {"unload_dependents"}


def routes(models: Models, loader: Loader, metrics: Metrics) -> list[Route]:
    """The endpoints."""
    management = Management(models, loader, metrics)
    return [
        Route("GET", "/v2/models", management.names),
        Route("GET", "/v2/models/stats", management.statistics),
        Route("GET", "/v2/models/{name}/stats", management.statistics),
        Route("GET", VERSION + "/stats", management.statistics),
        Route("GET", "/v2/models/{name}/config", management.configuration),
        Route("GET", VERSION + "/config", management.configuration),
        Route("POST", "/v2/repository/index", management.index),
        Route("POST", "/v2/repository/models/{name}/load", management.load),
        Route("POST", "/v2/repository/models/{name}/unload", management.unload),
    ]


def check_parameters(given: Iterable[str]) -> None:
    """Raises BadRequest for a parameter of a load or unload that would change what is served and how."""
    unknown = sorted(set(given) - WITHOUT_MEANING)
    if unknown:
        raise BadRequest(
            f"the parameter '{unknown[0]:.100}' is not taken: models are loaded as they are in the server's folder"
        )


class Management:
    """Answers the requests. Errors are those of `modelserver.errors`."""

    def __init__(self, models: Models, loader: Loader, metrics: Metrics) -> None:
        self._models = models
        self._loader = loader
        self._metrics = metrics

    def names(self, _: Request, __: Parameters) -> Response:
        """What is loaded, as KServe lists it."""
        return _json({"models": descriptions.names(self._models)})

    def configuration(self, _: Request, parameters: Parameters) -> Response:
        """How a model is served."""
        model = self._models.find(parameters["name"], parameters.get("version"))
        return _json(descriptions.configuration(model))

    def statistics(self, _: Request, parameters: Parameters) -> Response:
        """What models have done since they were loaded first."""
        name, version = parameters.get("name"), parameters.get("version")
        return _json({"model_stats": descriptions.statistics(self._models, self._metrics, name, version)})

    async def index(self, request: Request, _: Parameters) -> Response:
        """What there is, loaded or not."""
        only_ready = _body(request).get("ready", False)
        if not isinstance(only_ready, bool):
            raise BadRequest("'ready' must be true or false")
        await self._loader.look()
        return _json(descriptions.index(self._models, only_ready=only_ready))

    async def load(self, request: Request, parameters: Parameters) -> Response:
        """Loads a model, and answers when it is ready."""
        check_parameters(_parameters(request))
        await self._loader.load(parameters["name"])
        return Response(200, b"")

    async def unload(self, request: Request, parameters: Parameters) -> Response:
        """Unloads a model, and answers when no new request can get it."""
        check_parameters(_parameters(request))
        await self._loader.unload(parameters["name"])
        return Response(200, b"")


def _body(request: Request) -> dict[str, Any]:
    return loads(request.body) if request.body else {}


def _parameters(request: Request) -> dict[str, Any]:
    found = _body(request).get("parameters", {})
    if not isinstance(found, dict):
        raise BadRequest("'parameters' must be an object")
    return found


def _json(value: object) -> Response:
    return Response(200, dumps(value))
