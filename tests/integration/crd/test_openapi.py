"""What the API server publishes about ModelDeployments, and what a pod takes of it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from crds import generate, page
from tests.support.kubectl import Kubectl

Schema = dict[str, Any]


def spec_fields(file: Path) -> Schema:
    root = page.schema_of(yaml.safe_load(file.read_text()))
    properties: Schema = root["properties"]["spec"]["properties"]
    return properties


SHIPPED = spec_fields(generate.TARGET)
FROM = {name: field["$from"] for name, field in spec_fields(generate.SOURCE).items() if "$from" in field}
# A ModelDeployment has no volumes and no resource claims that these could refer to.
LEFT_OUT = {"env[].valueFrom.fileKeyRef", "resources.claims"}
SAME = ["type", "format", "x-kubernetes-map-type", "x-kubernetes-list-map-keys"]


@pytest.fixture(scope="module")
def published(control_plane: Path) -> Schema:
    """The schemas of our API group, which appear a moment after the CRD."""
    return schemas(Kubectl(control_plane), "apis/modelfleet.dev/v1alpha1")


@pytest.fixture(scope="module")
def core(control_plane: Path) -> Schema:
    """The schemas of pods and what they consist of."""
    return schemas(Kubectl(control_plane), "api/v1")


def schemas(kubectl: Kubectl, group: str) -> Schema:
    deadline = time.monotonic() + 30
    while (found := kubectl.run("get", "--raw", f"/openapi/v3/{group}")).returncode:
        assert time.monotonic() < deadline, found.stderr
    components: Schema = json.loads(found.stdout)["components"]["schemas"]
    return components


def test_each_published_field_has_text(published: Schema) -> None:
    model_deployment = published["dev.modelfleet.v1alpha1.ModelDeployment"]
    silent = [path for path, field in fields(model_deployment) if not field.get("description")]
    assert silent == []


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".spec",
        ".spec.model.uri",
        ".spec.models.workspace",
        ".spec.affinity.nodeAffinity",
        ".spec.rollout.analysis",
        ".spec.rollout.freeze.from",
        ".status.models",
        ".status.rollout.analysis.baseline",
        ".status.history",
    ],
)
def test_kubectl_explains(control_plane: Path, published: Schema, path: str) -> None:
    explained = Kubectl(control_plane)("explain", f"modeldeployments{path}")
    assert "DESCRIPTION" in explained
    assert "<empty>" not in explained
    assert "<no description>" not in explained


def test_kubectl_explains_the_whole_spec(control_plane: Path, published: Schema) -> None:
    explained = Kubectl(control_plane)("explain", "mfd.spec", "--recursive")
    for field in ("secretName", "topologySpreadConstraints", "labelSelector", "maxErrorRate", "deletionPolicy"):
        assert field in explained


@pytest.mark.parametrize("name", FROM)
def test_what_is_passed_on_is_what_a_pod_takes(core: Schema, name: str) -> None:
    type_name, field = FROM[name].removeprefix("V1").split(".")
    theirs = core[f"io.k8s.api.core.v1.{type_name}"]["properties"][field]
    assert list(differences(name, SHIPPED[name], theirs, core)) == []


def fields(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every field below a schema, with its path."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields(field, f"{path}.{name}")
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")


def differences(path: str, ours: Schema, theirs: Schema, core: Schema) -> Iterator[str]:
    """Where our schema would take what a pod does not, or would merge it in another way."""
    theirs = resolved(theirs, core)
    if "x-kubernetes-int-or-string" in ours:
        return
    for key in SAME:
        if ours.get(key) != theirs.get(key):
            yield f"{path}: {key} is {ours.get(key)}, not {theirs.get(key)}"
    if "enum" in theirs and not set(ours.get("enum", [None])) <= set(theirs["enum"]):
        yield f"{path}: enum is {ours.get('enum')}, not {theirs.get('enum')}"
    if missing := set(theirs.get("required", [])) - set(ours.get("required", [])):
        yield f"{path}: {missing} is required"
    yield from differences_below(path, ours, theirs, core)


def differences_below(path: str, ours: Schema, theirs: Schema, core: Schema) -> Iterator[str]:
    if "items" in ours:
        yield from differences(f"{path}[]", ours["items"], theirs["items"], core)
    here, there = ours.get("properties", {}), theirs.get("properties", {})
    for name in sorted(here.keys() & there.keys()):
        yield from differences(f"{path}.{name}", here[name], there[name], core)
    for name in sorted(here.keys() ^ there.keys()):
        if f"{path}.{name}" not in LEFT_OUT:
            yield f"{path}.{name}: only one side has it"


def resolved(schema: Schema, core: Schema) -> Schema:
    """The schema that a reference names, with what stands beside the reference."""
    for part in (schema, *schema.get("allOf", [])):
        if "$ref" in part:
            named: Schema = core[part["$ref"].rpartition("/")[2]]
            return named | schema
    return schema
