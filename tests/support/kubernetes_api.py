"""Checking manifests against Kubernetes' own types, as the official client describes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kubernetes.aio.client import models

TYPES = {
    "Deployment": "V1Deployment",
    "NetworkPolicy": "V1NetworkPolicy",
    "PodDisruptionBudget": "V1PodDisruptionBudget",
    "Secret": "V1Secret",
    "Service": "V1Service",
    "ServiceAccount": "V1ServiceAccount",
    "ConfigMap": "V1ConfigMap",
}
ITEMS = re.compile(r"(?:List\[|Dict\[str, )(.+)\]")


def unknown_in(manifest: Mapping[str, Any]) -> list[str]:
    """The fields of an object that Kubernetes has not.

    It can say nothing of a kind of somebody else's: the e2e tests apply routes to a cluster that knows them.
    """
    kind = manifest["kind"]
    return [] if kind == "HTTPRoute" else list(unknown_fields(manifest, TYPES[kind]))


def unknown_fields(value: Any, kind: str, path: str = "") -> Iterator[str]:
    """The fields that the API has not; ``kind`` is the client's name of the type, as V1Pod or List[V1Volume]."""
    if isinstance(value, list):
        for item in value:
            yield from unknown_fields(item, item_type(kind), f"{path}[]")
    elif kind.startswith("Dict["):
        for key, item in value.items():
            yield from unknown_fields(item, item_type(kind), f"{path}.{key}")
    elif isinstance(value, dict):
        fields = fields_of(kind)
        for name, item in value.items():
            yield from (
                unknown_fields(item, fields[name], f"{path}.{name}") if name in fields else [f"{path}.{name}"]
            )


def item_type(kind: str) -> str:
    """The type of what is in a list or dict."""
    match = ITEMS.fullmatch(kind)
    assert match, kind
    return match[1]


def fields_of(kind: str) -> dict[str, str]:
    """The types of a type's fields, by their names in JSON."""
    model = getattr(models, kind)
    return {model.attribute_map[field]: type_name for field, type_name in model.openapi_types.items()}
