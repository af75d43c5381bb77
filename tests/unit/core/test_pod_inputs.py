"""What of the spec goes into the pods, and how."""

from typing import Any

import pytest

from modelfleet.core.observed import Observed
from modelfleet.core.views import DeploymentView, PodView
from tests.support.objects import owner, wanted

IDENTITY = {"credentials": {"workloadIdentity": {"clientId": "the-client", "tenantId": "the-tenant"}}}


def pod_view(**spec: Any) -> PodView:
    views = wanted(owner(**spec), Observed())
    return next(view.pod for view in views if isinstance(view, DeploymentView))


@pytest.mark.parametrize(
    ("spec", "argument"),
    [
        ({}, "claims:1=/models/claims"),
        ({"version": ""}, "claims=/models/claims"),
        ({"model": {"file": "onnx/model.onnx"}}, "claims:1=/models/claims/onnx/model.onnx"),
    ],
)
def test_the_server_is_told_name_version_and_place(spec: dict[str, Any], argument: str) -> None:
    assert pod_view(**spec).models[0].argument == argument


@pytest.mark.parametrize(
    ("spec", "image"), [({}, "modelfleet/server:1"), ({"environment": {"image": "env:4"}}, "env:4")]
)
def test_the_image_is_the_users_or_the_stock_server(spec: dict[str, Any], image: str) -> None:
    assert pod_view(**spec).image == image


def test_a_workload_identity_reaches_the_fetcher_and_not_the_server() -> None:
    pod = pod_view(model=IDENTITY, env=[{"name": "A", "value": "b"}])
    assert [variable["name"] for variable in pod.models[0].env] == [
        "AZURE_CLIENT_ID",
        "AZURE_TENANT_ID",
        "AZURE_FEDERATED_TOKEN_FILE",
        "A",
    ]
    assert [variable["name"] for variable in pod.env] == ["A"]


def test_a_variable_stands_once_and_the_model_is_fetched_with_its_own_identity() -> None:
    """Kubernetes refuses a Deployment that names a variable twice."""
    pod = pod_view(model=IDENTITY, env=[{"name": "AZURE_CLIENT_ID", "value": "of the user's code"}])
    named = [variable["name"] for variable in pod.models[0].env]
    assert len(set(named)) == len(named)
    assert {"name": "AZURE_CLIENT_ID", "value": "the-client"} in pod.models[0].env
    assert pod.env == ({"name": "AZURE_CLIENT_ID", "value": "of the user's code"},)


def test_selectors_name_the_track_and_labels_the_revision_too() -> None:
    pod = pod_view()
    assert pod.selector.items() <= pod.labels.items()
    assert "modelfleet.dev/revision" not in pod.selector
    assert "modelfleet.dev/revision" in pod.labels
