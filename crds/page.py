"""Writes the field tables of docs/api.md from the CRD; the text above the marker is written by hand."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

PATH = Path(__file__).parent.parent / "docs" / "api.md"
MARKER = "<!-- Below this line, `python -m crds.generate` writes. -->\n"
# Fields that a pod has as well: Kubernetes explains better than we could what is inside them.
KUBERNETES = "https://kubernetes.io/docs/"
AS_IN_A_POD = {
    "resources": "concepts/configuration/manage-resources-containers/",
    "env": "tasks/inject-data-application/define-environment-variable-container/",
    "nodeSelector": "concepts/scheduling-eviction/assign-pod-node/#nodeselector",
    "tolerations": "concepts/scheduling-eviction/taint-and-toleration/",
    "affinity": "concepts/scheduling-eviction/assign-pod-node/#affinity-and-anti-affinity",
    "topologySpreadConstraints": "concepts/scheduling-eviction/topology-spread-constraints/",
    "imagePullSecrets": "tasks/configure-pod-container/pull-image-private-registry/",
    "priorityClassName": "concepts/scheduling-eviction/pod-priority-preemption/",
}


def updated(page: str, crd: Schema) -> str:
    """The page with its tables as the CRD has them now."""
    written, marker, _ = page.partition(MARKER)
    if not marker:
        raise ValueError(f"{PATH} has lost its marker: {MARKER}")
    root = schema_of(crd)
    parts = [*sections("spec", root), *sections("status", root), refusals(root)]
    return written + MARKER + "".join(f"\n{part}\n" for part in parts)


def schema_of(crd: Schema) -> Schema:
    root: Schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return root


def sections(path: str, parent: Schema) -> Iterator[str]:
    """A table for an object, then one for each object in it; the same fields in two places have one table."""
    found = dict(objects(path, parent["properties"][path]))
    homes = homes_of(found)
    for place, field in found.items():
        if homes[fields_in(field)] == place:
            yield section(place, field, homes)


def objects(path: str, field: Schema) -> Iterator[tuple[str, Schema]]:
    """An object and those in it, with their paths."""
    yield path, field
    for alias, child in fields_below(field)["properties"].items():
        if has_table(alias, child):
            yield from objects(path_below(path, alias, child), child)


def homes_of(found: dict[str, Schema]) -> dict[str, str]:
    """Where the table of the same fields is: as far up as they are found, and there at the first."""
    homes: dict[str, str] = {}
    for path in sorted(found, key=lambda path: path.count(".")):
        homes.setdefault(fields_in(found[path]), path)
    return homes


def section(path: str, field: Schema, homes: dict[str, str]) -> str:
    schema = fields_below(field)
    rows = "\n".join(row(path, alias, child, schema, homes) for alias, child in schema["properties"].items())
    heading = "#" * min(2 + path.count("."), 4)
    about = field["description"]
    return f"{heading} {path}\n\n{about}\n\n| Field | Type | Default | Meaning |\n|---|---|---|---|\n{rows}"


def has_table(alias: str, field: Schema) -> bool:
    return alias not in AS_IN_A_POD and "properties" in fields_below(field)


def path_below(path: str, alias: str, field: Schema) -> str:
    return f"{path}.{alias}{'[]' if field['type'] == 'array' else ''}"


def fields_in(field: Schema) -> str:
    """What is the same for objects with the same fields."""
    return json.dumps(fields_below(field)["properties"])


def fields_below(schema: Schema) -> Schema:
    items: Schema = schema.get("items", schema)
    return items


def row(path: str, alias: str, field: Schema, parent: Schema, homes: dict[str, str]) -> str:
    description = field["description"].replace("|", "\\|")
    if alias in AS_IN_A_POD:
        description += f" [As in a pod.]({KUBERNETES}{AS_IN_A_POD[alias]})"
    elif has_table(alias, field) and (home := homes[fields_in(field)]) != path_below(path, alias, field):
        description += f" [The fields of {home}.](#{''.join(filter(str.isalnum, home)).lower()})"
    default = "**required**" if alias in parent.get("required", []) else default_of(field)
    return f"| `{alias}` | {type_of(field)} | {default} | {description} |"


def type_of(field: Schema) -> str:
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        return "list"
    if "additionalProperties" in field:
        return "map"
    return str(field.get("format", field["type"]))


def default_of(field: Schema) -> str:
    default = field.get("default")
    return "" if default in (None, {}) else f"`{flow(default)}`"


def flow(value: Any) -> str:
    """A value on one line, as YAML allows it: {cpu: 100m}."""
    if not isinstance(value, dict):
        return str(value)
    return "{" + ", ".join(f"{key}: {flow(child)}" for key, child in value.items()) + "}"


def refusals(root: Schema) -> str:
    """The sentences with which the API server refuses what cannot be right."""
    lines = "\n".join(f"- {message}" for message in dict.fromkeys(messages(root)))
    besides = "Besides wrong types, values outside a range and fields that do not exist:"
    return f"## What is refused\n\n{besides}\n\n{lines}"


def messages(schema: Schema) -> Iterator[str]:
    yield from (rule["message"] for rule in schema.get("x-kubernetes-validations", []))
    for child in (*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")):
        if child:
            yield from messages(child)
