"""What all manifests have in common: labels, owner, digest."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelfleet.core import names
from modelfleet.core.api import parse
from modelfleet.core.observed import Observed
from modelfleet.core.views import PodDisruptionBudgetView, ServiceView
from modelfleet.render.renderer import render
from tests.support.kubernetes_api import unknown_in
from tests.support.objects import manifests, owner, stored_owner, wanted

VALID = Path(__file__).parents[2] / "integration" / "crd" / "valid"
SAMPLES = Path(__file__).parents[3] / "manifests" / "samples"

BUDGET = PodDisruptionBudgetView("claims", {"a": "b"})


def digest(manifest: dict[str, Any]) -> str:
    found: str = manifest["metadata"]["annotations"][names.APPLIED]
    return found


def test_every_object_can_be_found_by_its_labels_and_in_its_namespace() -> None:
    for manifest in manifests(owner()).values():
        assert manifest["metadata"]["labels"] == {
            "app.kubernetes.io/managed-by": "modelfleet",
            "modelfleet.dev/deployment": "claims",
        }
        assert manifest["metadata"]["namespace"] == "ml"


def test_objects_go_with_their_owner() -> None:
    of = owner(deletionPolicy="Delete")
    reference = {
        "apiVersion": "modelfleet.dev/v1alpha1",
        "kind": "ModelDeployment",
        "name": "claims",
        "uid": of.uid,
        "controller": True,
    }
    assert [m["metadata"]["ownerReferences"] for m in manifests(of).values()] == [[reference]] * 5


def test_orphans_have_no_owner_to_go_with() -> None:
    assert not [
        m for m in manifests(owner(deletionPolicy="Orphan")).values() if "ownerReferences" in m["metadata"]
    ]


def test_what_is_made_in_a_member_says_of_which_hub_it_is_and_has_no_owner_there() -> None:
    part = dataclasses.replace(owner(), hub="uid-of-the-hub")
    for manifest in manifests(part).values():
        assert manifest["metadata"]["labels"]["modelfleet.dev/hub"] == "uid-of-the-hub"
        assert "ownerReferences" not in manifest["metadata"]
        assert "modelfleet.dev/orphan" not in manifest["metadata"]["annotations"]
    pods = manifests(part)["Deployment", "claims"]["spec"]["template"]
    assert pods["metadata"]["labels"]["modelfleet.dev/hub"] == "uid-of-the-hub"


def test_what_is_to_stay_in_a_member_says_so() -> None:
    part = dataclasses.replace(owner(deletionPolicy="Orphan"), hub="uid-of-the-hub")
    assert {m["metadata"]["annotations"]["modelfleet.dev/orphan"] for m in manifests(part).values()} == {"true"}


def test_the_digest_is_that_of_all_that_is_applied() -> None:
    of = owner()
    assert digest(render(BUDGET, of)) == digest(render(BUDGET, of))
    assert digest(render(BUDGET, of)) != digest(render(BUDGET, owner(deletionPolicy="Orphan")))
    assert digest(render(BUDGET, of)) != digest(render(PodDisruptionBudgetView("claims", {"a": "c"}), of))


def test_annotations_of_the_user_stand_beside_ours() -> None:
    view = ServiceView("claims", {}, "ClusterIP", 80, {"a": "b", names.APPLIED: "mine"})
    annotations = render(view, owner())["metadata"]["annotations"]
    assert annotations.keys() == {"a", names.APPLIED}
    assert annotations[names.APPLIED] != "mine"


def test_what_a_caller_does_to_a_manifest_does_not_reach_the_next_one() -> None:
    before = render(BUDGET, owner())
    before["spec"]["selector"]["matchLabels"]["a"] = "changed"
    assert render(BUDGET, owner())["spec"]["selector"]["matchLabels"] == {"a": "b"}


def specs() -> list[Any]:
    """Every spec that the CRD's tests and the samples call valid."""
    files = sorted((*VALID.glob("*.yaml"), *SAMPLES.glob("*.yaml")))
    bodies = [(path.stem, body) for path in files for body in yaml.safe_load_all(path.read_text())]
    found = [(stem, body.get("spec", body)) for stem, body in bodies if isinstance(body, dict)]
    return [pytest.param(spec, id=f"{stem}-{number}") for number, (stem, spec) in enumerate(found)]


@pytest.mark.parametrize("spec", specs())
def test_every_valid_spec_becomes_manifests_that_kubernetes_knows(spec: dict[str, Any]) -> None:
    body = {"metadata": {"name": "claims"}, "spec": json.loads(json.dumps(spec))}
    of = parse(stored_owner(body))
    for view in wanted(of, Observed()):
        manifest = render(view, of)
        assert unknown_in(manifest) == []
