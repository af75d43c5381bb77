"""Judging how a ModelDeployment is doing from what is observed of it."""

from __future__ import annotations

from modelfleet.core import names
from modelfleet.core.api import ModelDeployment
from modelfleet.core.conditions import Verdict
from modelfleet.core.diagnosis import Cause, diagnose, is_ready
from modelfleet.core.manifest import Manifest, dig
from modelfleet.core.observed import Deployment, Observed


def judge(owner: ModelDeployment, revision: str, observed: Observed, problem: Cause | None) -> Verdict:
    """Return the verdict on the owner; ``problem`` is what keeps its objects from being applied, if anything."""
    live = observed.deployment(owner.name)
    available = live is not None and live.count("availableReplicas") > 0
    if problem:
        message = problem.message + _still_serving(available)
        return Verdict(False, available, problem.stalled, problem.reason, message)
    if live is None:
        return Verdict(False, False, False, "Creating", f"Creating the objects of {owner.spec.model.label}.")
    if live.revision != revision:
        return Verdict(False, available, False, "RollingOut", f"Starting revision {revision}.")
    if live.settled:
        return _settled(owner, live)
    return _unsettled(live, revision, observed, available)


def pods_of(revision: str, observed: Observed) -> list[Manifest]:
    """Return the pods made for a revision."""
    return [pod for pod in observed.pods if dig(pod, "metadata", "labels", names.REVISION) == revision]


def ready_count(revision: str, observed: Observed) -> int:
    """Return how many pods of a revision take traffic."""
    return sum(map(is_ready, pods_of(revision, observed)))


def _settled(owner: ModelDeployment, live: Deployment) -> Verdict:
    if live.replicas == 0:
        return Verdict(True, False, False, "ScaledToZero", "No pods are asked for; raise spec.replicas to serve.")
    pods = "1 pod" if live.replicas == 1 else f"{live.replicas} pods"
    message = f"{owner.spec.model.label} is served by {pods} at {owner.endpoint}."
    return Verdict(True, True, False, "Serving", message)


def _unsettled(live: Deployment, revision: str, observed: Observed, available: bool) -> Verdict:
    pods = pods_of(revision, observed)
    ready = sum(map(is_ready, pods))
    progress = f"{ready} of {live.replicas} pods of revision {revision} are ready."
    cause = _rejected(live) or diagnose(pods) or Cause("RollingOut", progress)
    if live.deadline_exceeded and cause.reason == "RollingOut":
        cause = Cause("ProgressDeadlineExceeded", f"The rollout makes no progress: {progress}")
    stalled = live.deadline_exceeded or cause.stalled
    complete_before = live.condition("Progressing").get("reason") == "NewReplicaSetAvailable"
    serving = _still_serving(available and cause.reason != "RollingOut")
    return Verdict(False, available, stalled, cause.reason, cause.message + serving, degraded=complete_before)


def _rejected(live: Deployment) -> Cause | None:
    failure = live.condition("ReplicaFailure")
    if failure.get("status") != "True":
        return None
    return Cause("PodsRejected", f"The cluster refuses to create pods: {failure.get('message', '')}")


def _still_serving(serving: bool) -> str:
    return " The pods that are ready go on serving." if serving else ""
