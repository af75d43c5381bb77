"""`GET /swagger.json`: what `/score` takes and gives, in the layout that Azure ML's tools read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelserver.http.message import Response
from modelserver.protocols import score
from modelserver.protocols.tensors import dumps

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from modelserver.models.model import Model
    from modelserver.models.signature import Signature, TensorSpec

Json = dict[str, Any]

VERSIONS = {2.0: "2.0", 3.0: "3.0.3", 3.1: "3.1.0"}
JSON_TYPES = {"b": "boolean", "i": "integer", "u": "integer", "f": "number", "O": "string"}
BEARER = {"type": "apiKey", "name": "Authorization", "in": "header", "description": "Bearer, and a key or token"}
SECURITY = [{"Bearer": list[str]()}]
ERROR: Json = {"type": "object", "properties": {"message": {"type": "string"}}}
FAILED = "What went wrong."


class NoSuchVersion(Exception):
    """A version of OpenAPI that there is no document in; the sentences are those of Azure ML's server."""


@dataclass(frozen=True, slots=True)
class Service:
    """What the document says of the service. A `swagger2.json` (or 3) in `folder` is given out instead of it."""

    name: str
    version: str
    prefix: str
    folder: Path | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str], folder: Path | None = None) -> Service:
        """What Azure ML's variables say, or what they stand for when they are not set."""
        prefix = environment.get("SERVICE_PATH_PREFIX", "").strip("/")
        name, version = environment.get("SERVICE_NAME", "ML service"), environment.get("SERVICE_VERSION", "1.0")
        return cls(name, version, f"/{prefix}" if prefix else "", folder)


def document(service: Service, interface: Json, asked: str) -> Json:
    """The document for an `interface`, a schema of its input and one of its output. Raises NoSuchVersion."""
    version = _version(asked, interface.get("versions", VERSIONS))
    own = service.folder and service.folder / f"swagger{version:g}.json"
    if own and own.is_file():
        return dict(json.loads(own.read_bytes()))
    layout = _Layout(version)
    schemas = {"ServiceInput": interface["input"], "ServiceOutput": interface["output"], "ErrorResponse": ERROR}
    about = {
        "title": service.name,
        "description": f"API specification for the Azure Machine Learning service {service.name}",
        "version": service.version,
    }
    paths = {service.prefix + path: endpoint for path, endpoint in layout.paths().items()}
    return {**layout.beginning(), "info": about, "paths": paths, **layout.schemas(schemas)}


def answer(models: Sequence[Model], asked: str) -> Response:
    """The answer of a server that has models and no handler."""
    try:
        return Response(200, dumps(document(Service.of(os.environ), interface_of(models), asked)))
    except NoSuchVersion as error:
        return Response(404, dumps({"message": str(error)}))


def interface_of(models: Sequence[Model]) -> Json:
    """What `/score` takes and gives for these models: precise where there is just one."""
    given: Json = {"type": "object"}
    if len(models) == 1:
        data = _input(models[0].signature)
        given |= {"properties": {"data": data}, "example": score.usage(models[0])["example"]}
    return {
        "input": given,
        "output": {"type": "object", "properties": {"results": {"type": "array", "items": {}}}},
    }


def _version(asked: str, possible: Collection[float]) -> float:
    try:
        version = float(asked)
    except ValueError:
        version = 0
    if version not in VERSIONS:
        raise NoSuchVersion(f"Swagger version [{asked}] is not valid. Supported versions: {_listed(VERSIONS)}.")
    if version not in possible:
        raise NoSuchVersion(
            f"Swagger version [{version:g}] is not supported for the scoring script. "
            f"Supported swagger versions: {_listed(possible)}."
        )
    return version


def _listed(versions: Collection[float]) -> str:
    return f"[{', '.join(f'{version:g}' for version in versions)}]"


def _input(signature: Signature) -> Json:
    columns = {spec.name: _tensor(spec) for spec in signature.inputs}
    return {"type": "object", "properties": columns} if len(columns) > 1 else columns.popitem()[1]


def _tensor(spec: TensorSpec) -> Json:
    schema: Json = {"type": JSON_TYPES[spec.datatype.dtype.kind]}
    for _ in spec.shape or ():
        schema = {"type": "array", "items": schema}
    return schema


class _Layout:
    """How a version of OpenAPI writes it."""

    def __init__(self, version: float) -> None:
        self._version = VERSIONS[version]
        self._is_swagger = version == 2

    def beginning(self) -> Json:
        if not self._is_swagger:
            return {"openapi": self._version, "security": SECURITY}
        kinds = {"consumes": ["application/json"], "produces": ["application/json"]}
        return {"swagger": self._version, "schemes": ["https"], **kinds, "securityDefinitions": {"Bearer": BEARER}}

    def schemas(self, schemas: Json) -> Json:
        if self._is_swagger:
            return {"definitions": schemas}
        return {"components": {"schemas": schemas, "securitySchemes": {"Bearer": BEARER}}}

    def paths(self) -> Json:
        text = {"type": "string"}
        return {
            "/": {"get": self._endpoint("ServiceHealthCheck", "Says that the service is alive.", self._healthy())},
            "/score": {
                "post": {
                    **self._endpoint(
                        "RunMLService", "Answers with results.", self._json(self._ref("ServiceOutput"))
                    ),
                    "security": SECURITY,
                    **self._body(),
                }
            },
            "/swagger.json": {
                "get": {
                    **self._endpoint("GetSwaggerSpec", "Gives this document.", self._content(text, "text/plain")),
                    "parameters": [self._version_parameter()],
                }
            },
        }

    def _endpoint(self, operation: str, description: str, answer: Json) -> Json:
        good = {"description": "What was asked for.", **answer}
        bad = {"description": FAILED, **self._json(self._ref("ErrorResponse"))}
        return {"operationId": operation, "description": description, "responses": {"200": good, "default": bad}}

    def _healthy(self) -> Json:
        if self._is_swagger:
            return {"schema": {"type": "string"}, "examples": {"application/json": "Healthy"}}
        return self._content({"type": "string", "example": "Healthy"}, "text/plain")

    def _body(self) -> Json:
        described = {"description": "What run() or the model takes.", **self._json(self._ref("ServiceInput"))}
        if self._is_swagger:
            return {"parameters": [{"name": "serviceInputPayload", "in": "body", **described}]}
        return {"requestBody": described}

    def _version_parameter(self) -> Json:
        choice = {"type": "integer", "enum": [2, 3]}
        schema = choice if self._is_swagger else {"schema": choice}
        return {"name": "version", "in": "query", "required": False, **schema}

    def _json(self, schema: Json) -> Json:
        return self._content(schema, "application/json")

    def _content(self, schema: Json, kind: str) -> Json:
        return {"schema": schema} if self._is_swagger else {"content": {kind: {"schema": schema}}}

    def _ref(self, name: str) -> Json:
        return {"$ref": f"#/{'definitions' if self._is_swagger else 'components/schemas'}/{name}"}
