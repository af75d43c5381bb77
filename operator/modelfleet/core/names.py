"""Every name, label and annotation that the operator gives to an object."""

from collections.abc import Mapping

GROUP = "modelfleet.dev"
VERSION = "v1alpha1"
KIND = "ModelDeployment"
PLURAL = "modeldeployments"

FIELD_MANAGER = "modelfleet"
HANDOVER_MANAGER = "modelfleet-autoscaling-handover"

MANAGED_BY = "app.kubernetes.io/managed-by"
OWNER = f"{GROUP}/deployment"
HUB = f"{GROUP}/hub"
"""On what is made in a member cluster: the UID of the cluster with the ModelDeployment that it is made for."""
ORPHAN = f"{GROUP}/orphan"
"""On what is to stay when its ModelDeployment is deleted."""
FINALIZER = f"{GROUP}/regions"
TRACK = f"{GROUP}/track"
REVISION = f"{GROUP}/revision"
TEMPLATE = f"{GROUP}/pod-template"
PREVIOUS = f"{GROUP}/previous-pod-template"
APPLIED = f"{GROUP}/applied"

MANAGED_SELECTOR = f"{MANAGED_BY}=modelfleet"
"""The label selector of everything that the operator may have made."""

LOCAL_SELECTOR = f"{MANAGED_SELECTOR},!{HUB}"
"""The same, made for ModelDeployments of the cluster that it is in."""

STABLE = "stable"
CANARY = "canary"


def hub_selector(hub: str) -> str:
    """Return the label selector of everything that a hub may have made in its members."""
    return f"{MANAGED_SELECTOR},{HUB}={hub}"


def managed_labels(owner: str, hub: str = "") -> dict[str, str]:
    """Return the labels of every object made for the named ModelDeployment; with the hub, if that is elsewhere.

    None of the owner's own labels are copied: ``app.kubernetes.io/instance`` would make
    Argo CD adopt, and then prune, the children.
    """
    return {MANAGED_BY: "modelfleet", OWNER: owner, **({HUB: hub} if hub else {})}


def pod_selector(owner: str) -> dict[str, str]:
    """Return the labels that select every pod of a ModelDeployment, whatever its track."""
    return {OWNER: owner}


def track_selector(owner: str, track: str) -> dict[str, str]:
    """Return the labels that select the pods of one track; selectors of two tracks must never overlap."""
    return {OWNER: owner, TRACK: track}


def selector_string(labels: Mapping[str, str]) -> str:
    """Return labels in the query form that ``status.selector`` and list calls use."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def fetch_container(index: int) -> str:
    """Return the name of the container that fetches the model at that place in the spec."""
    return "fetch" if index == 0 else f"fetch-{index + 1}"


def canary_deployment(owner: str) -> str:
    """Return the name of the Deployment that runs a revision beside the stable one."""
    return f"{owner}-{CANARY}"


def track_service(owner: str, track: str) -> str:
    """Return the name of the Service with the pods of one track alone."""
    return f"{owner}-{track}"


def samples(owner: str) -> str:
    """Return the name of the copy of golden samples that pods in a member cluster have to answer."""
    return f"{owner}-samples"


def live_settings(owner: str) -> str:
    """Return the name of the ConfigMap with the settings that stable pods follow without a restart."""
    return f"{owner}-settings"


def credentials_secret(owner: str) -> str:
    """Return the name of the Secret that carries the models' credentials to their pods."""
    return f"{owner}-model"
