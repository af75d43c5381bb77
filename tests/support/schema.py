"""Checking an object against an OpenAPI schema of a CRD, as far as the schemas of this project go."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from crds.generate import TARGET

Schema = Mapping[str, Any]
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}


def crd_schema(field: str) -> Schema:
    """The schema of ``spec`` or ``status`` of a ModelDeployment."""
    version = yaml.safe_load(TARGET.read_text())["spec"]["versions"][0]
    schema: Schema = version["schema"]["openAPIV3Schema"]["properties"][field]
    return schema


def violations(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    """Everything by which the API server would refuse the value, or silently change it."""
    if not isinstance(value, TYPES[schema["type"]]) or isinstance(value, bool) != (schema["type"] == "boolean"):
        yield f"{path} is no {schema['type']}: {value!r}"
    elif isinstance(value, dict):
        yield from (f"{path}.{name} is missing" for name in schema.get("required", ()) if name not in value)
        for name, item in value.items():
            known = schema["properties"].get(name)
            yield from violations(item, known, f"{path}.{name}") if known else [f"{path}.{name} is dropped"]
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from violations(item, schema["items"], f"{path}[{index}]")
    elif value not in schema.get("enum", [value]):
        yield f"{path} is none of {schema['enum']}: {value!r}"
    elif not re.search(schema.get("pattern", ""), str(value)):
        yield f"{path} is not like {schema['pattern']}: {value!r}"
