"""Rendering a view into the manifest of its object.

Templates hold shape and Python holds decisions. Every ``{{ … }}`` is written as JSON, which is YAML, so
no value can leave its node whatever it contains; a template that interpolates inside a string fails to
parse. What all objects have in common (labels, owner, the digest of what was applied) is added here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import jinja2
import yaml

from modelfleet.core import names
from modelfleet.core.api import ModelDeployment
from modelfleet.core.manifest import Manifest, canonical_json
from modelfleet.core.views import KINDS, DeploymentView, PodView, View

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNSAFE = re.compile(r"[^\x20-\x7e]")


def _node(value: object) -> object:
    """Return a template value as one YAML node."""
    if isinstance(value, jinja2.Undefined):
        return value  # StrictUndefined raises by itself, naming the missing field
    return _UNSAFE.sub(_escape, json.dumps(value, ensure_ascii=False))


def _escape(match: re.Match[str]) -> str:
    """Return a character as YAML's eight-digit escape: JSON's surrogate pairs mean something else in YAML."""
    return f"\\U{ord(match[0]):08X}"


_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("modelfleet.render"),
    undefined=jinja2.StrictUndefined,
    finalize=_node,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,  # noqa: S701  the output is YAML, and _node quotes every value
)


def render(view: View, owner: ModelDeployment) -> dict[str, Any]:
    """Return the complete manifest of the object that the view describes, ready to be applied."""
    manifest = _deployment(view) if isinstance(view, DeploymentView) else _fill(KINDS[type(view)], asdict(view))
    metadata = manifest["metadata"]
    metadata["namespace"] = owner.namespace
    metadata["labels"] = names.managed_labels(owner.name, owner.hub)
    if owner.spec.deletion_policy == "Orphan":
        if owner.hub:
            metadata.setdefault("annotations", {})[names.ORPHAN] = "true"
    elif not owner.hub:
        metadata["ownerReferences"] = [_reference(owner)]
    digest = hashlib.sha256(canonical_json(manifest).encode()).hexdigest()
    metadata.setdefault("annotations", {})[names.APPLIED] = digest
    return manifest


def render_pod_template(view: PodView) -> dict[str, Any]:
    """Return the pod template of a revision."""
    template = _fill("PodTemplate", asdict(view))
    template["spec"].update(view.pass_through)
    return template


def _deployment(view: DeploymentView) -> dict[str, Any]:
    """Return the Deployment around its pod template, which is recorded so that it can be applied again."""
    template = view.template or render_pod_template(view.pod)
    fields = ("name", "replicas", "selector", "progress_deadline_s")
    manifest = _fill("Deployment", {field: getattr(view, field) for field in fields})
    annotations = {names.REVISION: view.revision, names.TEMPLATE: canonical_json(template)}
    if view.previous:
        annotations[names.PREVIOUS] = canonical_json(view.previous)
    manifest["metadata"]["annotations"] = annotations
    manifest["spec"]["template"] = template
    if view.replicas is None:
        del manifest["spec"]["replicas"]
    return manifest


def _reference(owner: ModelDeployment) -> Manifest:
    """Return the owner reference; it does not block deletion, which would need a permission of its own."""
    return {
        "apiVersion": f"{names.GROUP}/{names.VERSION}",
        "kind": names.KIND,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
    }


def _fill(template: str, values: Mapping[str, Any]) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(_fill_cached(template, canonical_json(values)))
    return manifest


def _refuse(number: str) -> float:
    """Refuse floats: YAML 1.1 reads ``1e-05`` back as a string, and no Kubernetes field takes one."""
    raise TypeError(f"a manifest holds no floats: {number}")


@lru_cache(maxsize=1024)
def _fill_cached(template: str, values: str) -> str:
    """Return the manifest as JSON; cached, because most reconciles find the views that they found before."""
    text = _TEMPLATES.get_template(f"{template}.yaml.j2").render(json.loads(values, parse_float=_refuse))
    return json.dumps(yaml.load(text, _LOADER))  # noqa: S506  a safe loader
