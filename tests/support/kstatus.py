"""How kstatus (Flux, Argo CD, kpt) reads an object: its generic algorithm, as the oracle of our tests."""

from collections.abc import Mapping
from typing import Any, Literal

Health = Literal["Current", "InProgress", "Failed"]


def kstatus(generation: int, status: Mapping[str, Any]) -> Health:
    """What sigs.k8s.io/cli-utils computes of an object that is not being deleted (status/generic.go)."""
    if status.get("observedGeneration", generation) != generation:
        return "InProgress"
    for condition in status.get("conditions", ()):
        if condition["type"] == "Reconciling" and condition["status"] == "True":
            return "InProgress"
        if condition["type"] == "Stalled" and condition["status"] == "True":
            return "Failed"
    ready = [condition["status"] for condition in status.get("conditions", ()) if condition["type"] == "Ready"]
    return "Current" if ready in ([], ["True"]) else "InProgress"
