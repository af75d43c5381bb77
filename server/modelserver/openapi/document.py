"""The OpenAPI document: every path with what it takes, gives and refuses, for the models that are loaded now.

Version 3.0, which generators of clients and API gateways read best.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelserver import __version__
from modelserver.auth.open_paths import is_open
from modelserver.openapi import schemas
from modelserver.openapi.schemas import TEXT, an_object, reference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelserver.models.model import Model
    from modelserver.openapi.schemas import Json

DESCRIPTION = """\
ONNX models, served by modelfleet. Bodies are read as JSON whatever their Content-Type says, compressed with gzip
or deflate where Content-Encoding says so. With the header Inference-Header-Content-Length, inference requests
carry tensors as bytes behind the JSON: the binary tensor extension of the Open Inference Protocol."""
REFUSALS = {
    400: "The request cannot be understood.",
    401: "A key or token is missing or not valid.",
    403: "The server was told not to do this for anybody.",
    404: "There is no such model or version.",
    408: "The request took too long to arrive.",
    413: "The body is too large.",
    431: "The headers are too large.",
    500: "The model failed on this input.",
    501: "This server does not do that.",
    503: "The model is loading, too many requests wait, or there was no answer in time: try again.",
    507: "The model does not fit into memory.",
}
ANY = (400, 408, 413, 431, 503)
JSON_LENGTH = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "description": "Of a body with binary tensors: the bytes of its JSON part.",
    "schema": {"type": "integer", "minimum": 0},
}
BINARY: Json = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
ERRORS = ("Error", "Message")
SCHEMES = {
    "token": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "api-key"},
}


def document(models: Iterable[Model], *, secured: bool, has_handler: bool) -> Json:
    """The document. Where the server is `secured`, it says how to prove who asks; a handler takes over /score."""
    served = list(models)
    names = list(dict.fromkeys(model.name for model in served))
    score = _score(served, names, has_handler=has_handler)
    paths = {**_health(), **score, **_inference(served), **_of_models(names), **_of_repository()}
    found: Json = {
        "openapi": "3.0.3",
        "info": {"title": "Model server", "version": __version__, "description": DESCRIPTION},
        "paths": _secured(paths) if secured else paths,
        "components": {"schemas": schemas.SHARED, "responses": _all_refusals()},
    }
    if secured:
        found["components"] = {**found["components"], "securitySchemes": SCHEMES}
        found["security"] = [{scheme: list[str]()} for scheme in SCHEMES]
    return found


def _secured(paths: Json) -> Json:
    for path, operations in paths.items():
        for method, operation in operations.items():
            if is_open(method.upper(), path):
                operation["security"] = []
            else:
                operation["responses"] |= _refusals([401], "Message" if path == "/score" else "Error")
    return paths


# Operations


def _operation(
    tag: str,
    summary: str,
    answers: Json,
    refusals: Iterable[int] = (),
    error: str = "Error",
    **more: object,
) -> Json:
    refused = _refusals(sorted({*ANY, *refusals}), error)
    responses = answers | {code: refusal for code, refusal in refused.items() if code not in answers}
    return {"tags": [tag], "summary": summary, **more, "responses": responses}


def _refusals(codes: Iterable[int], error: str) -> Json:
    return {str(code): {"$ref": f"#/components/responses/{error}{code}"} for code in codes}


def _all_refusals() -> Json:
    return {
        f"{error}{code}": _given(description, reference(error))
        for error in ERRORS
        for code, description in REFUSALS.items()
    }


def _given(description: str, schema: Json, content_type: str = "application/json") -> Json:
    return {"description": description, "content": {content_type: {"schema": schema}}}


def _ok(schema: str) -> Json:
    return {"200": _given("It is so.", reference(schema))}


def _yes_or_no(schema: str, no: str) -> Json:
    return {**_ok(schema), "503": _given(no, reference(schema))}


def _health() -> Json:
    alive = {"200": _given("It is alive.", TEXT, "text/plain")}
    metrics = {"200": _given("Prometheus' text format.", TEXT, "text/plain")}
    not_now = "Not now: it is loading or about to stop."
    return {
        "/": {"get": _operation("health", "Whether the process answers", alive)},
        "/healthcheck": {
            "get": _operation("health", "Whether to send requests here", _yes_or_no("Health", not_now))
        },
        "/v2/health/live": {"get": _operation("health", "Whether the process answers", _ok("Live"))},
        "/v2/health/ready": {
            "get": _operation("health", "Whether to send requests here", _yes_or_no("Ready", not_now))
        },
        "/metrics": {"get": _operation("health", "Counters, gauges and histograms", metrics)},
        "/v2": {"get": _operation("health", "What this server is", _ok("Server"))},
    }


def _score(served: list[Model], names: list[str], *, has_handler: bool) -> Json:
    post = _handler_score(served, names) if has_handler else _model_score(served, names)
    given = {"200": _given("Inputs, outputs and an example.", an_object({}))}
    get = _operation(
        "score", "What the models take, with examples", given, (404,), "Message", parameters=[_asked(names)]
    )
    return {
        "/score": {"post": post, "get": get} if names or not has_handler else {"post": post},
        "/swagger.json": {"get": _swagger()},
    }


def _model_score(served: list[Model], names: list[str]) -> Json:
    body = {"schema": an_object({"data": {}}), **_examples(served)}
    return _operation(
        "score",
        "Values in, values out: as rows, records or columns",
        {"200": _given("The rows of the outputs.", an_object({"results": {}}, "results"))},
        (404, 500, 501),
        "Message",
        parameters=[_asked(names)],
        requestBody={"required": True, "content": {"application/json": body}},
    )


def _handler_score(served: list[Model], names: list[str]) -> Json:
    """What a handler takes and gives is its own: `/swagger.json` has what it tells of that."""
    return _operation(
        "score",
        "Run the handler, or the model that is named",
        {"default": {"description": "What the handler answers.", "content": {"*/*": {"schema": {}}}}},
        error="Message",
        parameters=[_asked(names)] if names else [],
        requestBody={"content": {"*/*": {"schema": {}, **_examples(served)}}},
    )


def _swagger() -> Json:
    version = {"name": "version", "in": "query", "description": "Of OpenAPI: 2, 3 or 3.1.", "schema": TEXT}
    found = {"200": _given("As Azure ML's tools read it.", an_object({}))}
    return _operation(
        "score", "About /score, for Azure ML's tools", found, (404,), "Message", parameters=[version]
    )


def _asked(names: list[str]) -> Json:
    return {
        "name": "model_name",
        "in": "query",
        "description": "Which model; not needed where there is one.",
        "schema": _one_of([*names, ""]),
    }


def _examples(served: list[Model]) -> Json:
    found = {model.name: {"value": example} for model in served if (example := schemas.score_example(model))}
    return {"examples": found} if found else {}


def _inference(served: list[Model]) -> Json:
    """Without a version, the last one of a model answers."""
    default = {f"/v2/models/{model.name}/infer": _infer(model) for model in served}
    return default | {f"/v2/models/{model.name}/versions/{model.version}/infer": _infer(model) for model in served}


def _infer(model: Model) -> Json:
    example = schemas.infer_example(model)
    request = {"schema": schemas.infer_request(model), **({"example": example} if example else {})}
    answer = {
        "description": "The outputs; those that were asked for as binary behind the JSON.",
        "content": {"application/json": {"schema": schemas.infer_response(model)}, **BINARY},
    }
    return {
        "post": _operation(
            "inference",
            f"Run {model.name}, version {model.version}",
            {"200": answer},
            (404, 500, 501),
            parameters=[JSON_LENGTH],
            requestBody={"required": True, "content": {"application/json": request, **BINARY}},
        )
    }


def _of_models(names: list[str]) -> Json:
    name = {"name": "name", "in": "path", "required": True, "schema": _one_of(names)}
    version = {"name": "version", "in": "path", "required": True, "schema": TEXT}
    ready = _yes_or_no("ModelReady", "Not yet.")
    found: Json = {
        "/v2/models": {"get": _operation("models", "The models that are loaded", _ok("Names"))},
        "/v2/models/stats": {"get": _operation("models", "What all models have done", _ok("Statistics"))},
    }
    for path, parameters in (
        ("/v2/models/{name}", [name]),
        ("/v2/models/{name}/versions/{version}", [name, version]),
    ):
        found |= {
            path: _get("What the model takes and gives", _ok("Metadata"), parameters),
            f"{path}/ready": _get("Whether the model is ready", ready, parameters),
            f"{path}/config": _get("Its configuration, as Triton writes it", _ok("Configuration"), parameters),
            f"{path}/stats": _get("What the model has done", _ok("Statistics"), parameters),
        }
    return found


def _get(summary: str, answers: Json, parameters: list[Json]) -> Json:
    return {"get": _operation("models", summary, answers, (404,), parameters=parameters)}


def _one_of(names: list[str]) -> Json:
    return {"type": "string", "enum": names} if names else TEXT


def _of_repository() -> Json:
    return {
        "/v2/repository/index": {
            "post": _operation(
                "repository", "All models, loaded or not", _ok("Index"), requestBody=_body("IndexRequest")
            )
        },
        "/v2/repository/models/{name}/load": _change("Load a model", 403, 404, 507),
        "/v2/repository/models/{name}/unload": _change("Unload a model", 403, 404),
    }


def _change(summary: str, *refusals: int) -> Json:
    name = {"name": "name", "in": "path", "required": True, "schema": TEXT}
    done = {"200": {"description": "It is done."}}
    body = _body("ChangeRequest")
    return {"post": _operation("repository", summary, done, refusals, parameters=[name], requestBody=body)}


def _body(schema: str) -> Json:
    return {"required": False, "content": {"application/json": {"schema": reference(schema)}}}
