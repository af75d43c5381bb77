"""Pods moved by hand where there is no node: the status that a kubelet would write."""

import json

from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import Manifest, read_all

LONG_AGO = "2026-01-01T00:00:00Z"
FETCHED = {"reason": "Fetched", "sha256": "ab" * 32, "bytes": 1000, "files": 1}


def pods(kubectl: Kubectl, owner: str = "claims", revision: str = "") -> list[Manifest]:
    """The pods of a ModelDeployment that are not being deleted."""
    selector = f"modelfleet.dev/deployment={owner}" + (f",modelfleet.dev/revision={revision}" if revision else "")
    found = read_all(kubectl, "pods", selector)
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def patch_status(kubectl: Kubectl, pod: Manifest, status: Manifest) -> None:
    """Write a pod's status."""
    name, patch = pod["metadata"]["name"], json.dumps({"status": status})
    kubectl("patch", "pod", name, "--subresource=status", "--type=merge", "-p", patch)


def make_ready(kubectl: Kubectl, owner: str = "claims", revision: str = "", *, count: int = 1) -> None:
    """Wait for pods to exist, then make each of them serve."""
    found = eventually(lambda: len(pods(kubectl, owner, revision)) >= count and pods(kubectl, owner, revision))
    assert found
    for pod in found:
        patch_status(kubectl, pod, READY)


def settle(kubectl: Kubectl, owner: str = "claims", *, within_s: float = 30) -> None:
    """Make every pod serve that comes, until the ModelDeployment is ready for what it now asks for."""

    def step() -> bool:
        for pod in pods(kubectl, owner):
            patch_status(kubectl, pod, READY)
        wait = ("wait", "--for=condition=Ready", f"modeldeployment/{owner}", "--timeout=1s")
        return kubectl.run(*wait).returncode == 0

    eventually(step, within_s=within_s)


READY: Manifest = {
    "phase": "Running",
    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": LONG_AGO}],
    "initContainerStatuses": [
        {
            "name": "fetch",
            "image": "server:1",
            "imageID": "",
            "ready": True,
            "restartCount": 0,
            "state": {"terminated": {"exitCode": 0, "reason": "Completed", "message": json.dumps(FETCHED)}},
        }
    ],
}
