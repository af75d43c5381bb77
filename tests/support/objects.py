"""Objects as the operator finds them in a cluster: with what the API server, controllers and kubelets add."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from modelfleet.core import names
from modelfleet.core.api import ModelDeployment, parse
from modelfleet.core.children import Defaults, child_key
from modelfleet.core.facts import facts_of
from modelfleet.core.observed import ChildKey, Observed
from modelfleet.core.plan import Plan, plan
from modelfleet.core.region import decide
from modelfleet.core.revision import revision_of
from modelfleet.core.views import View
from modelfleet.render.renderer import render
from tests.support.modeldeployments import Manifest, model_deployment

NOW = "2025-11-22T13:00:00Z"
DEFAULTS = Defaults(server_image="modelfleet/server:1")


def owner(*, generation: int = 1, status: Manifest | None = None, **spec: Any) -> ModelDeployment:
    """A ModelDeployment named claims in namespace ml."""
    return parse(stored_owner(model_deployment(**spec), generation=generation, status=status))


def stored_owner(body: Manifest, *, generation: int = 1, status: Manifest | None = None) -> Manifest:
    """A ModelDeployment as the API server stores what a user wrote."""
    stored = {"namespace": "ml", "uid": "11111111-2222-3333-4444-555555555555", "generation": generation}
    metadata = {**stored, **body["metadata"]}
    return {**body, "metadata": metadata, "status": status or {"observedGeneration": -1}}


def secret(name: str = "storage", **data: str) -> Manifest:
    """A Secret of the user's; the values are base64."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "ml"}, "data": data}


def manifests(of: ModelDeployment, observed: Observed | None = None) -> dict[ChildKey, Manifest]:
    """Every manifest that the operator applies for a ModelDeployment."""
    return {child_key(view): render(view, of) for view in wanted(of, observed or Observed())}


def planned(of: ModelDeployment, observed: Observed, defaults: Defaults = DEFAULTS) -> Plan:
    """What the operator would do now."""
    decision = decide(facts_of(of, observed), of.spec.rollout, datetime.fromisoformat(NOW))
    return plan(of, observed, decision, defaults)


def wanted(of: ModelDeployment, observed: Observed, defaults: Defaults = DEFAULTS) -> tuple[View, ...]:
    """The objects that the operator would make now."""
    return planned(of, observed, defaults).children


def world(of: ModelDeployment, live: Manifest | None = None, pods: Iterable[Manifest] = ()) -> Observed:
    """All of the children there, with this Deployment in place of an untouched one."""
    children = manifests(of)
    if live is not None:
        children["Deployment", of.name] = live
    return Observed(children=children, pods=tuple(pods))


def deployment(
    of: ModelDeployment,
    *,
    updated: int = 0,
    available: int = 0,
    total: int | None = None,
    generation: int = 1,
    observed_generation: int | None = None,
    conditions: Iterable[Manifest] = (),
    **spec: Any,
) -> Manifest:
    """The Deployment of a ModelDeployment, with a status as the Deployment controller writes it."""
    manifest = copy.deepcopy(manifests(of)["Deployment", of.name])
    counters = {
        "replicas": updated if total is None else total,
        "updatedReplicas": updated,
        "readyReplicas": available,
        "availableReplicas": available,
    }
    manifest["metadata"]["generation"] = generation
    manifest["spec"].update(spec)
    manifest["status"] = {
        "observedGeneration": generation if observed_generation is None else observed_generation,
        **{name: count for name, count in counters.items() if count},  # zero is left out, as in Go
        "conditions": list(conditions),
    }
    return manifest


def progressing(reason: str, status: str = "True") -> Manifest:
    """The condition by which the Deployment controller tells how its rollout goes."""
    return {"type": "Progressing", "status": status, "reason": reason, "lastUpdateTime": NOW}


COMPLETE = progressing("NewReplicaSetAvailable")
ROLLING = progressing("ReplicaSetUpdated")
TIMED_OUT = progressing("ProgressDeadlineExceeded", "False")
QUOTA = {
    "type": "ReplicaFailure",
    "status": "True",
    "reason": "FailedCreate",
    "message": 'pods "claims-7d9c-x2xkq" is forbidden: exceeded quota: small',
}


def settled(of: ModelDeployment, **changes: Any) -> Manifest:
    """A Deployment whose rollout is over and whose pods all serve."""
    count = of.spec.replicas
    return deployment(of, **{"updated": count, "available": count, "conditions": [COMPLETE], **changes})


def pod(of: ModelDeployment, name: str = "claims-7d9c-x2xkq", **status: Any) -> Manifest:
    """A pod of the ModelDeployment's revision, on a node; further fields of the status by keyword."""
    labels = {**names.managed_labels(of.name), names.TRACK: "stable", names.REVISION: revision_of(of.spec)}
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}]
    metadata = {"name": name, "namespace": "ml", "labels": labels}
    return {"metadata": metadata, "status": {"phase": "Pending", "conditions": conditions, **status}}


def ready_pod(of: ModelDeployment, name: str = "claims-7d9c-x2xkq", **status: Any) -> Manifest:
    """A pod that takes traffic."""
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}]
    return pod(of, name, **{"phase": "Running", "conditions": conditions, **status})


def leaving(body: Manifest) -> Manifest:
    """The same object, being deleted."""
    return {**body, "metadata": {**body["metadata"], "deletionTimestamp": NOW}}


def container(name: str, state: Manifest, *, last: Manifest | None = None, restarts: int = 0) -> Manifest:
    """A container's status."""
    return {
        "name": name,
        "image": "modelfleet/server:1",
        "imageID": "",
        "ready": False,
        "started": False,
        "restartCount": restarts,
        "state": state,
        "lastState": last or {},
    }


def waiting(reason: str, message: str | None = None) -> Manifest:
    """The state of a container that is not started."""
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def ended(exit_code: int, message: str = "", reason: str = "Error") -> Manifest:
    """The state of a container that has ended."""
    times = {"startedAt": NOW, "finishedAt": NOW, "containerID": "containerd://0"}
    return {
        "terminated": {
            "exitCode": exit_code,
            "reason": reason,
            **({"message": message} if message else {}),
            **times,
        }
    }


def reported(reason: str, message: str, **facts: object) -> str:
    """The termination message of the fetcher or the server."""
    return json.dumps({"reason": reason, "message": message, **facts}) + "\n"


def fetched(sha256: str) -> Manifest:
    """The fetcher's container, done, with files of that checksum."""
    return container("fetch", ended(0, reported("Fetched", "", sha256=sha256, bytes=1000, files=2), "Completed"))


FETCHED = fetched("ab" * 32)


def as_stored(manifest: Mapping[str, Any]) -> Manifest:
    """A manifest as the API server gives it back: without empty fields, amounts canonical, defaults filled in."""
    stored: Manifest = _as_stored(manifest)
    stored["metadata"] |= {"resourceVersion": "7", "uid": "8", "creationTimestamp": NOW, "generation": 1}
    return stored


CANONICAL_AMOUNTS = {"1000m": "1", "0.5": "500m", "1024Mi": "1Gi", "1.5Gi": "1536Mi", 1: "1", 2: "2"}
ADDED: dict[str, Manifest] = {
    "containers": {"terminationMessagePath": "/dev/termination-log"},
    "initContainers": {"terminationMessagePath": "/dev/termination-log"},
    "serviceAccountToken": {},
    "ports": {"nodePort": 30123},
    "httpGet": {"scheme": "HTTP"},
    "readinessProbe": {"successThreshold": 1},
    "fieldRef": {"apiVersion": "v1"},
    "spec": {"dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "clusterIP": "10.0.0.7"},
}


def _as_stored(value: Any, field: str = "") -> Any:
    if isinstance(value, Mapping):
        kept = {key: _as_stored(item, key) for key, item in value.items() if item not in ("", [], None)}
        return kept | ADDED.get(field, {})
    if isinstance(value, list | tuple):
        return [_as_stored(item, field) for item in value]
    if field in {"cpu", "memory", "nvidia.com/gpu", "divisor"}:
        return CANONICAL_AMOUNTS.get(value, value)
    return value
