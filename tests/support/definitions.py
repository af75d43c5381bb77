"""Definitions of resources that an API server has been given."""

import json

from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl

CLUSTER_PROFILES = "clusterprofiles.multicluster.x-k8s.io"
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": CLUSTER_PROFILES,
        "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
    },
    "spec": {
        "group": "multicluster.x-k8s.io",
        "names": {"kind": "ClusterProfile", "plural": "clusterprofiles"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


def established(kubectl: Kubectl, name: str) -> None:
    """Return once resources of that definition can be made.

    `kubectl wait` fails at once where a definition has no conditions at all yet, as in its first moments.
    """

    def is_established() -> bool:
        status = json.loads(kubectl("get", "customresourcedefinition", name, "-o", "json")).get("status", {})
        held = {condition["type"] for condition in status.get("conditions") or [] if condition["status"] == "True"}
        return "Established" in held

    eventually(is_established)


def install_cluster_profiles(kubectl: Kubectl) -> None:
    """Have the API server know ClusterProfiles."""
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(DEFINITION))
    established(kubectl, CLUSTER_PROFILES)
