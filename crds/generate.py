"""Writes modeldeployments.yaml from source.yaml, in which a node may say `$from: V1PodSpec.tolerations`.

Such a node becomes the schema of that field as the installed Kubernetes client describes it, completed by
types.yaml with what the client leaves out. Keys beside `$from` are merged over it; null removes (RFC 7386).
"""

import json
import re
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

import yaml
from kubernetes.aio.client import models

from crds import page

Schema = dict[str, Any]

HERE = Path(__file__).parent
SOURCE = HERE / "source.yaml"
TARGET = HERE / "modeldeployments.yaml"
HEADER = "# Written by `python -m crds.generate` from source.yaml and types.yaml: change those.\n"
COMPLETIONS: dict[str, Schema] = yaml.safe_load((HERE / "types.yaml").read_text())
SCALARS: dict[Any, str] = {str: "string", int: "integer", bool: "boolean"}
FIRST_SENTENCE = re.compile(r"(?:Required[.:] )?(.+?)(?<!e\.g)(?<!i\.e)(?:\.(?=\s)|\.?$)", re.DOTALL)


def main() -> None:
    TARGET.write_text(crd_text())
    page.PATH.write_text(page.updated(page.PATH.read_text(), yaml.safe_load(TARGET.read_text())))


def crd_text() -> str:
    """The CRD as it is shipped."""
    crd = expanded(yaml.safe_load(SOURCE.read_text()))
    without_anchors = json.loads(json.dumps(crd))
    return HEADER + yaml.safe_dump(without_anchors, sort_keys=False, width=120, allow_unicode=True)


def expanded(node: Any) -> Any:
    """The tree with each `$from` replaced by the schema of the field that it names."""
    if isinstance(node, list):
        return [expanded(child) for child in node]
    if not isinstance(node, dict):
        return node
    written = {key: expanded(child) for key, child in node.items() if key != "$from"}
    if "$from" not in node:
        return written
    type_name, alias = node["$from"].split(".")
    model = getattr(models, type_name)
    named = field_schema(model, alias, fields_of(model)[alias])
    return merged({"description": None} | named, written)


def fields_of(model: Any) -> dict[str, Any]:
    """The client's fields under the names that YAML uses."""
    return {field.serialization_alias or name: field for name, field in model.model_fields.items()}


def field_schema(model: Any, alias: str, field: Any) -> Any:
    description = {"description": first_sentence(field.description) if field.description else None}
    return completed(f"{model.__name__}.{alias}", description | value_schema(field.annotation))


def value_schema(annotation: Any) -> Any:
    """`Optional[List[V1Toleration]]` becomes an array of objects."""
    if annotation in SCALARS:
        return {"type": SCALARS[annotation]}
    if hasattr(annotation, "model_fields"):
        return object_schema(annotation)
    inner = [argument for argument in get_args(annotation) if argument is not NoneType]
    if get_origin(annotation) is list:
        return {"type": "array", "items": value_schema(inner[0])}
    if get_origin(annotation) is dict:
        return {"type": "object", "additionalProperties": value_schema(inner[1])}
    return value_schema(inner[0])


def object_schema(model: Any) -> Any:
    fields = fields_of(model)
    required = [alias for alias, field in fields.items() if field.is_required()]
    schema: Schema = {"type": "object"} | ({"required": required} if required else {})
    properties = {alias: field_schema(model, alias, field) for alias, field in fields.items()}
    schema["properties"] = {alias: schema for alias, schema in properties.items() if schema is not None}
    return completed(model.__name__, schema)


def completed(name: str, schema: Schema) -> Any:
    return merged(schema, COMPLETIONS.get(name, {}))


def merged(base: Any, patch: Any) -> Any:
    """The JSON merge patch of RFC 7386."""
    if not isinstance(base, dict) or not isinstance(patch, dict):
        return patch
    result = base | {key: merged(base.get(key, {}), value) for key, value in patch.items()}
    return {key: value for key, value in result.items() if value is not None}


def first_sentence(text: str) -> str:
    """What fits beside a field; the rest is in the Kubernetes documentation."""
    sentence = FIRST_SENTENCE.match(" ".join(text.split()))
    if sentence is None:
        raise ValueError(f"no sentence in {text!r}")
    return f"{sentence[1]}."


if __name__ == "__main__":
    main()
