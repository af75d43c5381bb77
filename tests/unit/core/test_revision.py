"""A revision changes exactly when the pods have to; whether they have to is never decided by accident."""

from typing import Any

import pytest

from modelfleet.core.revision import revision_of
from tests.support.objects import owner

IDENTITY = {"credentials": {"workloadIdentity": {"clientId": "the-client", "tenantId": "the-tenant"}}}
SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}

PINNED: list[tuple[str, dict[str, Any]]] = [
    ("1f7f924f7f", {}),
    ("cbad70b928", {"version": "2"}),
    ("4f1bcb469f", {"uri": "https://demo.blob.core.windows.net/models/claims/2/"}),
    ("8318f9f914", {"model": {"name": "other"}}),
    ("13f12b0c0d", {"model": {"sha256": "ab" * 32}}),
    ("67556b72a5", {"model": {"file": "model.onnx"}}),
    ("5f4c3f2412", {"model": {"credentials": {"secretName": "storage"}}}),
    ("0ab499142c", {"model": IDENTITY}),
    ("89b0e700cd", {"environment": {"image": "env:4"}}),
    ("100340ba78", {"resources": {"limits": {"memory": "1Gi"}}}),
    ("ce90e8f58f", {"env": [{"name": "A", "value": "ü"}]}),
    ("05d1edc645", {"nodeSelector": {"pool": "gpu"}}),
    ("a43b1ff4fa", {"tolerations": [{"operator": "Exists"}]}),
    ("a950369641", {"affinity": {"podAntiAffinity": {}}}),
    ("da0cb0c0ee", {"topologySpreadConstraints": [SPREAD]}),
    ("e18a5d25ed", {"imagePullSecrets": [{"name": "registry"}]}),
    ("0c59e6f316", {"priorityClassName": "high"}),
]


def revision(**spec: Any) -> str:
    return revision_of(owner(**spec).spec)


@pytest.mark.parametrize(("expected", "spec"), PINNED)
def test_revisions_of_running_fleets_stay_as_they_are(expected: str, spec: dict[str, Any]) -> None:
    """Where this fails, an upgrade of the operator would restart every pod of every fleet at once."""
    assert revision(**spec) == expected


def test_each_input_that_shapes_the_pods_has_a_revision_of_its_own() -> None:
    revisions = [expected for expected, _ in PINNED]
    assert len(set(revisions)) == len(revisions)


@pytest.mark.parametrize(
    "spec",
    [
        {"replicas": 7},
        {"service": {"type": "LoadBalancer", "port": 8080, "annotations": {"a": "b"}}},
        {"deletionPolicy": "Orphan"},
    ],
)
def test_what_is_applied_to_running_pods_starts_no_rollout(spec: dict[str, Any]) -> None:
    assert revision(**spec) == revision()


@pytest.mark.parametrize(
    "spec", [{"env": []}, {"nodeSelector": {}}, {"model": {"file": ""}}, {"environment": {}}, {"resources": {}}]
)
def test_an_empty_field_is_the_same_as_none(spec: dict[str, Any]) -> None:
    assert revision(**spec) == revision()


def test_the_order_of_keys_does_not_matter_and_the_order_of_variables_does() -> None:
    first, second = {"name": "A", "value": "1"}, {"name": "B", "value": "$(A)"}
    assert revision(nodeSelector={"a": "1", "b": "2"}) == revision(nodeSelector={"b": "2", "a": "1"})
    assert revision(env=[first, second]) != revision(env=[second, first])


def test_neither_generation_nor_status_is_an_input() -> None:
    assert revision_of(owner(generation=9, status={"revision": "0123456789"}).spec) == revision()
