"""The values of gen-ml-api, the Helm chart of the template before Modelfleet: which there are, of what form.

A client secret is never kept: all that is known of it is whether there is one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelfleet.core.manifest import Manifest

HEADINGS = ("USER-SUPPLIED VALUES", "COMPUTED VALUES")
"""What ``helm get values`` prints first, unless it is asked for YAML."""

SERVICE_TYPES = ("ClusterIP", "NodePort", "LoadBalancer")
MOST_REPLICAS = 1000
_PROMPT = "Specify "
_VARIABLE = "$("
_WHOLE = re.compile("[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Form:
    """What a value has to be, in words, and how it is read: None if it is something else.

    A null stands for ``null``, or for the chart's default where that is None.
    """

    name: str
    read: Callable[[Any], Any]
    null: Any = None


@dataclass(frozen=True, slots=True)
class Field:
    """A value of the chart, and what the chart has where it is left out."""

    form: Form
    default: Any = None


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a release, by their paths, and in sentences what of them was not understood."""

    found: Mapping[str, Any]
    remarks: tuple[str, ...] = field(default=())

    def __getitem__(self, path: str) -> Any:
        """Return the value at a path such as service.port, or else the chart's default."""
        return self.found.get(path, FIELDS[path].default)


def read(given: Manifest) -> Values:
    """Return what the chart knows of the values ``given``, and sentences on the rest."""
    misread = [
        f"{shown(path)} is left out: it has to be {FIELDS[path].form.name}."
        for path, value in _stated(given)
        if FIELDS[path].form.read(value) is None
    ]
    unknown = [f"{shown(path)} is left out: the chart gen-ml-api has no such value." for path in _unknown(given)]
    found = {path: FIELDS[path].form.read(value) for path, value in _stated(given)}
    known = {path: value for path, value in found.items() if value is not None}
    return Values(known, (*_broken_sections(given), *misread, *unknown))


def shown(value: object) -> str:
    """Return somebody else's text so that it can stand in a sentence or a comment: in one line, and in ASCII."""
    return json.dumps(str(value))[1:-1]


def gap(text: str) -> str:
    """Return why a text is no value yet, as the end of a sentence; empty if it is one."""
    if not text:
        return "is missing"
    if text.startswith(_PROMPT):
        return "still has the chart's request to write something there"
    if text.startswith(_VARIABLE):
        return f"is {shown(text)}, a variable of the pipeline, and its value is not here"
    return ""


def _stated(given: Manifest) -> Iterator[tuple[str, Any]]:
    """Yield the values that the chart knows and that are there, with their paths."""
    for path, known in FIELDS.items():
        section, _, name = path.rpartition(".")
        values = given.get(section) if section else given
        if isinstance(values, Mapping) and name in values:
            value = known.form.null if values[name] is None else values[name]
            if value is not None:
                yield path, value


def _broken_sections(given: Manifest) -> Iterator[str]:
    for name in SECTIONS:
        if given.get(name) is not None and not isinstance(given[name], Mapping):
            yield f"{name} is left out: it has to be a mapping, with names and values below it."


def _unknown(given: Manifest) -> Iterator[str]:
    for name, value in given.items():
        if name in SECTIONS:
            below = value if isinstance(value, Mapping) else {}
            yield from (f"{name}.{key}" for key in below if f"{name}.{key}" not in FIELDS)
        elif name not in FIELDS and name not in HEADINGS:
            yield str(name)


def _text(value: Any) -> str | None:
    is_text = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value).strip() if is_text else None


def _is_secret_there(value: Any) -> bool | None:
    text = _text(value)
    return None if text is None else not gap(text)


def _number(lowest: int, highest: int, null: int | None = None) -> Form:
    def read_number(value: Any) -> int | None:
        if isinstance(value, bool) or not _WHOLE.fullmatch(str(value)):
            return None
        return int(value) if lowest <= int(value) <= highest else None

    return Form(f"a whole number from {lowest} to {highest}", read_number, null)


def _instance(kind: type) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, kind) else None


TEXT = Form("a text", _text)
SECRET = Form("a text", _is_secret_there)
FLAG = Form("true or false", _instance(bool))
MAPPING = Form("a mapping", _instance(dict))
LIST = Form("a list", _instance(list))
SERVICE_TYPE = Form(
    f"{', '.join(SERVICE_TYPES[:-1])} or {SERVICE_TYPES[-1]}",
    lambda value: value if value in SERVICE_TYPES else None,
)
PORT = _number(1, 65535)
REPLICAS = _number(0, MOST_REPLICAS)
SCALED = _number(1, MOST_REPLICAS)
PERCENTAGE = _number(0, 10_000, null=0)

FIELDS: Mapping[str, Field] = {
    "amlargs.azureTenantId": Field(TEXT, ""),
    "amlargs.azureSubscriptionId": Field(TEXT, ""),
    "amlargs.azureResourceGroupName": Field(TEXT, ""),
    "amlargs.azureMlWorkspaceName": Field(TEXT, ""),
    "amlargs.azureMlServicePrincipalClientId": Field(TEXT, ""),
    "amlargs.azureMlServicePrincipalPassword": Field(SECRET, False),
    "replicaCount": Field(REPLICAS, 1),
    "image.repository": Field(TEXT, ""),
    "image.pullPolicy": Field(TEXT, ""),
    "image.tag": Field(TEXT, ""),
    "imagePullSecrets": Field(LIST, []),
    "nameOverride": Field(TEXT, ""),
    "fullnameOverride": Field(TEXT, ""),
    "serviceAccount.create": Field(FLAG, True),
    "serviceAccount.annotations": Field(MAPPING, {}),
    "serviceAccount.name": Field(TEXT, ""),
    "podAnnotations": Field(MAPPING, {}),
    "podSecurityContext": Field(MAPPING, {}),
    "securityContext": Field(MAPPING, {}),
    "service.type": Field(SERVICE_TYPE, "LoadBalancer"),
    "service.port": Field(PORT, 80),
    "ingress.enabled": Field(FLAG, False),
    "ingress.annotations": Field(MAPPING, {}),
    "ingress.hosts": Field(LIST, []),
    "ingress.tls": Field(LIST, []),
    "resources": Field(MAPPING, {}),
    "autoscaling.enabled": Field(FLAG, False),
    "autoscaling.minReplicas": Field(SCALED, 1),
    "autoscaling.maxReplicas": Field(SCALED, 100),
    "autoscaling.targetCPUUtilizationPercentage": Field(PERCENTAGE, 80),
    "autoscaling.targetMemoryUtilizationPercentage": Field(PERCENTAGE, 0),
    "nodeSelector": Field(MAPPING, {}),
    "tolerations": Field(LIST, []),
    "affinity": Field(MAPPING, {}),
}
SECTIONS = frozenset(path.partition(".")[0] for path in FIELDS if "." in path)
