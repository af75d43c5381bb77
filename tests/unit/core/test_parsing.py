"""A stored ModelDeployment becomes the dataclass that everything else reads."""

from datetime import datetime

import pytest

from modelfleet.core.api import Model, ServiceSpec, Spec, WorkloadIdentity, parse
from tests.support.modeldeployments import URI, model_deployment
from tests.support.objects import NOW, leaving, owner, stored_owner


def test_what_the_user_left_out_has_its_default() -> None:
    assert owner().spec == Spec(
        models=(Model(name="claims", uri=URI, version="1"),),
        image="",
        replicas=1,
        service=ServiceSpec(type="ClusterIP", port=80, annotations={}),
        deletion_policy="Delete",
    )


def test_every_field_of_the_spec_is_read() -> None:
    env = {"name": "A", "value": "b"}
    spec = owner(
        model={"sha256": "ab" * 32, "file": "a.onnx", "credentials": {"secretName": "storage"}},
        environment={"image": "env:4"},
        replicas=3,
        resources={"limits": {"cpu": 1}},
        env=[env],
        service={"type": "LoadBalancer", "port": 8080, "annotations": {"a": "b"}},
        deletionPolicy="Orphan",
    ).spec
    assert spec == Spec(
        models=(Model("claims", URI, "1", sha256="ab" * 32, file="a.onnx", secret_name="storage"),),
        image="env:4",
        replicas=3,
        resources={"limits": {"cpu": 1}},
        env=(env,),
        service=ServiceSpec("LoadBalancer", 8080, {"a": "b"}),
        deletion_policy="Orphan",
    )


def test_a_workload_identity_is_read() -> None:
    identity = {"clientId": "the-client", "tenantId": "the-tenant"}
    model = owner(model={"credentials": {"workloadIdentity": identity}}).spec.models[0]
    assert model.workload_identity == WorkloadIdentity(client_id="the-client", tenant_id="the-tenant")
    assert model.secret_name == ""


def test_pod_fields_keep_their_names_and_empty_ones_are_left_out() -> None:
    assert owner(nodeSelector={"pool": "gpu"}, tolerations=[], priorityClassName="high").spec.pod == {
        "nodeSelector": {"pool": "gpu"},
        "priorityClassName": "high",
    }


def test_zero_replicas_are_not_taken_for_none_given() -> None:
    assert owner(replicas=0).spec.replicas == 0


def test_identity_generation_and_deletion_come_from_the_metadata() -> None:
    body = stored_owner(model_deployment("claims"), generation=7)
    assert [parse(body).name, parse(body).namespace, parse(body).generation] == ["claims", "ml", 7]
    assert parse(body).uid == body["metadata"]["uid"]
    assert parse(body).deleted_at is None
    assert parse(leaving(body)).deleted_at == datetime.fromisoformat(NOW)


@pytest.mark.parametrize(
    ("uri", "port"),
    [
        ("https://host/a/", 443),
        ("http://host.svc/a/", 80),
        ("http://host.svc:10000/a/", 10000),
        ("https://[::1]:8443/a/", 8443),
    ],
)
def test_the_port_of_the_storage_is_that_of_the_address(uri: str, port: int) -> None:
    assert Model("claims", uri).port == port


@pytest.mark.parametrize(("port", "endpoint"), [(80, "http://claims.ml.svc"), (81, "http://claims.ml.svc:81")])
def test_the_endpoint_is_the_service_and_its_port_where_it_is_not_that_of_http(port: int, endpoint: str) -> None:
    assert owner(service={"port": port}).endpoint == endpoint


@pytest.mark.parametrize(("version", "label"), [("3", "claims version 3"), ("", "claims")])
def test_messages_call_a_model_by_its_version_where_it_has_one(version: str, label: str) -> None:
    assert owner(version=version).spec.models[0].label == label
