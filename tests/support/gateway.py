"""Gateways where nothing runs: the API of them, and what a Gateway would say of a route."""

import json

from local.gateway import GROUP, definitions
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import exists

DEFINITION = f"httproutes.{GROUP}"


def define(kubectl: Kubectl) -> None:
    """Have the API server know routes."""
    kubectl("apply", "--server-side", "-f", definitions() / f"{GROUP}_httproutes.yaml")
    eventually(lambda: kubectl.run("get", "httproutes").returncode == 0)


def undefine(kubectl: Kubectl) -> None:
    """Have it know them no more."""
    kubectl("delete", "crd", DEFINITION, "--ignore-not-found", "--wait")


def accept(kubectl: Kubectl, name: str = "claims") -> None:
    """Take the route as it stands now."""
    metadata = exists(kubectl, "httproute", name)["metadata"]
    said = {"status": "True", "reason": "Accepted", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    conditions = [
        {"type": kind, "observedGeneration": metadata["generation"], **said}
        for kind in ("Accepted", "ResolvedRefs")
    ]
    parent = {"parentRef": {"name": "public"}, "controllerName": "example.com/test", "conditions": conditions}
    patch = json.dumps({"status": {"parents": [parent]}})
    kubectl("patch", "httproute", name, "--subresource=status", "--type=merge", "-p", patch)
