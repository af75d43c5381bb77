"""How kstatus (Flux, Argo CD, kpt) reads an object: its generic algorithm, as the oracle of our tests."""

from collections.abc import Mapping
from typing import Any, Literal

Health = Literal["Current", "InProgress", "Failed"]


def kstatus_of(body: Mapping[str, Any]) -> Health | Literal["Terminating"]:
    """What sigs.k8s.io/cli-utils computes of an object (status/generic.go); its deletion comes first."""
    metadata = body["metadata"]
    return "Terminating" if metadata.get("deletionTimestamp") else kstatus(metadata["generation"], body["status"])


def kstatus(generation: int, status: Mapping[str, Any]) -> Health:
    """What sigs.k8s.io/cli-utils computes of an object that is not being deleted.

    The first true condition of Reconciling and Stalled decides, in the order of the list; then Ready, where there
    is one (status/status.go). An object without any of them is taken for done.
    """
    if status.get("observedGeneration", generation) != generation:
        return "InProgress"
    for condition in status.get("conditions", ()):
        if condition["type"] == "Reconciling" and condition["status"] == "True":
            return "InProgress"
        if condition["type"] == "Stalled" and condition["status"] == "True":
            return "Failed"
    ready = [condition["status"] for condition in status.get("conditions", ()) if condition["type"] == "Ready"]
    return "Current" if ready in ([], ["True"]) else "InProgress"
