"""How OpenTelemetry's semantic conventions describe a request: the name and the attributes of its span."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from modelserver.errors import Error
    from modelserver.http.message import Request
    from modelserver.observers.finished import Finished

    Attributes = dict[str, AttributeValue]

GRPC_METHOD = "inference.GRPCInferenceService/ModelInfer"
INFER = "/v2/models/{name}/infer"
INFER_VERSION = "/v2/models/{name}/versions/{version}/infer"


def described(request: Finished) -> tuple[str, Attributes]:
    """The name of the span, which tells few kinds of request apart, and its attributes."""
    asked = request.over_http
    name, attributes = _http(asked, request.status) if asked else _grpc(request.answer)
    if request.model:
        attributes["modelserver.model.name"] = request.model.name
        attributes["modelserver.model.version"] = request.model.version
    if request.run:
        attributes["modelserver.batch.rows"] = request.run.rows
    if agent := request.asked.headers.get(b"user-agent"):
        attributes["user_agent.original"] = agent.decode("latin-1")
    if request.status >= 500:
        attributes["error.type"] = type(request.error).__name__ if request.error else str(request.status)
    return name, attributes


def exception(error: Error) -> Attributes:
    """The attributes of the event that tells of `error`."""
    return {"exception.type": type(error).__name__, "exception.message": str(error)}


def _http(asked: Request, status: int) -> tuple[str, Attributes]:
    path = asked.target.partition("?")[0]  # a query may hold what is secret
    attributes: Attributes = {
        "http.request.method": asked.method,
        "http.response.status_code": status,
        "url.path": path,
        "url.scheme": "http",
    }
    route = _route(path)
    if not route:
        return asked.method, attributes
    attributes["http.route"] = route
    return f"{asked.method} {route}", attributes


def _route(path: str) -> str:
    """The pattern that the path matched; nothing for a path that only the handler knows."""
    if path.startswith("/v2/models/"):
        return INFER_VERSION if "/versions/" in path else INFER
    return path if path == "/score" else ""


def _grpc(answer: object) -> tuple[str, Attributes]:
    code = getattr(answer, "code", None)  # of a grpc.message.Reply, which is made above this layer
    return GRPC_METHOD, {
        "rpc.system.name": "grpc",
        "rpc.method": GRPC_METHOD,
        "rpc.response.status_code": getattr(code, "name", "UNKNOWN"),
    }
