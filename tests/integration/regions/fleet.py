"""What users see on the hub while kubelets in all regions make pods serve, or do not."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.kubelet import READY, patch_status, pods
from tests.support.modeldeployments import Manifest, condition, model_deployment, read, status_of

Places = Mapping[str, Kubectl]
REGIONS = [{"name": "westeurope"}, {"name": "northeurope"}]
WAVES = [{"name": "pilot", "regions": ["westeurope"]}, {"name": "rest", "regions": ["*"], "approval": True}]
INVALID: Manifest = {
    "phase": "Running",
    "containerStatuses": [
        {
            "name": "server",
            "image": "server:1",
            "imageID": "",
            "ready": False,
            "restartCount": 1,
            "state": {
                "terminated": {
                    "exitCode": 3,
                    "reason": "Error",
                    "message": '{"reason": "ModelInvalid", "message": "It is no ONNX model."}',
                }
            },
        }
    ],
}
"""The status of a pod whose model cannot be served."""


def claims(version: str = "1", **spec: Any) -> Manifest:
    """A ModelDeployment in both regions."""
    return model_deployment(version=version, **{"regions": REGIONS, **spec})


def version_in(place: Kubectl) -> str:
    """The version that the stable pods of a region are to serve; nothing where there are none."""
    found = read(place, "deployment", "claims") or {}
    containers = found.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [{}])
    arguments = containers[0].get("args", ["", ""])
    return str(arguments[1]).partition(":")[2].partition("=")[0]


def settle(
    places: Places,
    look: Callable[[], Any],
    *,
    within_s: float = 60,
    invalid: str = "",
    among: Places | None = None,
) -> Any:
    """What `look` returns once it is truthy, while all pods serve but for those of the `invalid` revision."""

    def step() -> Any:
        for place in (among or places).values():
            for pod in pods(place):
                revision = pod["metadata"]["labels"]["modelfleet.dev/revision"]
                patch_status(place, pod, INVALID if revision == invalid else READY)
        return look()

    return eventually(step, within_s=within_s)


def reason(hub: Kubectl, wanted: str) -> Callable[[], Manifest]:
    """Looks for the status with that reason."""

    def look() -> Manifest:
        status = status_of(hub)
        assert condition(status, "Ready").get("reason") == wanted, status
        return status

    return look


def region(status: Manifest, name: str) -> Manifest:
    """What a status tells of a region."""
    return next(entry for entry in status["regions"] if entry["name"] == name)
