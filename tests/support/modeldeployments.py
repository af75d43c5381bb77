"""ModelDeployments for tests, applied and watched with kubectl."""

import json
from typing import Any

from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl

Manifest = dict[str, Any]
URI = "https://demo.blob.core.windows.net/models/claims/1/"


def model_deployment(name: str = "claims", *, uri: str = URI, version: str = "1", **spec: Any) -> Manifest:
    """A ModelDeployment with one model; further fields of the spec by keyword."""
    model = {"name": "claims", "version": version, "uri": uri, **spec.pop("model", {})}
    return {
        "apiVersion": "modelfleet.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {"model": model, **spec},
    }


def apply(kubectl: Kubectl, *manifests: Manifest) -> None:
    """Apply manifests as a user does."""
    kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}))


def read(kubectl: Kubectl, kind: str, name: str) -> Manifest | None:
    """The object, or None when there is none."""
    text = kubectl("get", kind, name, "--ignore-not-found", "-o", "json")
    return json.loads(text) if text.strip() else None


def read_all(kubectl: Kubectl, kind: str, selector: str = "") -> list[Manifest]:
    """All objects of a kind in the namespace."""
    items: list[Manifest] = json.loads(kubectl("get", kind, "-l", selector, "-o", "json"))["items"]
    return items


def exists(kubectl: Kubectl, kind: str, name: str, *, within_s: float = 30) -> Manifest:
    """The object, waited for."""
    found = eventually(lambda: read(kubectl, kind, name), within_s=within_s)
    assert found
    return found


def status_of(kubectl: Kubectl, name: str = "claims") -> Manifest:
    """The status of a ModelDeployment, empty of what is not there yet."""
    owner = read(kubectl, "modeldeployment", name)
    status: Manifest = (owner or {}).get("status", {})
    return status


def condition(status: Manifest, kind: str) -> Manifest:
    """A condition of a status, or an empty mapping."""
    return next((c for c in status.get("conditions", []) if c["type"] == kind), {})


def ready_reason(kubectl: Kubectl, reason: str, name: str = "claims", *, within_s: float = 30) -> Manifest:
    """The status, once the reason of its Ready condition is this."""

    def look() -> Manifest | None:
        status = status_of(kubectl, name)
        assert condition(status, "Ready").get("reason") == reason, status
        return status

    found = eventually(look, within_s=within_s)
    assert found
    return found
