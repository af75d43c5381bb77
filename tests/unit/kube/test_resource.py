"""Where the objects of a resource type live."""

import pytest

from modelfleet.kube.client import DEPLOYMENTS, NAMESPACES, PODS, Resource


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (PODS.path(), "/api/v1/pods"),
        (PODS.path("ns"), "/api/v1/namespaces/ns/pods"),
        (PODS.path("ns", "a"), "/api/v1/namespaces/ns/pods/a"),
        (DEPLOYMENTS.path("ns", "a", "status"), "/apis/apps/v1/namespaces/ns/deployments/a/status"),
        (NAMESPACES.path("ns", "a"), "/api/v1/namespaces/a"),
    ],
)
def test_paths(path: str, expected: str) -> None:
    assert path == expected


def test_a_manifest_names_its_resource_type() -> None:
    assert Resource.of({"apiVersion": "apps/v1", "kind": "Deployment"}) is DEPLOYMENTS
