"""Judging how a ModelDeployment is doing from what is observed of it."""

from __future__ import annotations

from modelfleet.core import names
from modelfleet.core.api import ModelDeployment
from modelfleet.core.conditions import Verdict
from modelfleet.core.decision import Waiting
from modelfleet.core.diagnosis import Cause, diagnose, fetched_model, is_leaving, is_ready
from modelfleet.core.endpoint import route_of
from modelfleet.core.manifest import Manifest, dig
from modelfleet.core.observed import Deployment, Observed


def judge(
    owner: ModelDeployment,
    revision: str,
    observed: Observed,
    problem: Cause | None,
    waiting: Waiting | None = None,
) -> Verdict:
    """Return the verdict on the owner; ``problem`` is what keeps its objects from being applied, if anything, and
    ``waiting`` what a rollout waits for.
    """
    live = observed.deployment(owner.name)
    available = _answers(owner, observed)
    if problem:
        message = _with_serving(problem.message, available)
        return Verdict(False, available, problem.stalled, problem.reason, message)
    if waiting:
        return _waiting(waiting, live, available)
    if live is None:
        return Verdict(False, available, False, "Creating", f"Creating the objects of {owner.label}.")
    if live.revision != revision:
        return Verdict(False, available, False, "RollingOut", f"Starting revision {revision}.")
    if live.settled:
        return (
            _differing(owner, revision, observed) or _unrouted(owner, observed, available) or _settled(owner, live)
        )
    return _unsettled(live, revision, observed, available)


def pods_of(revision: str, observed: Observed) -> list[Manifest]:
    """Return the pods made for a revision."""
    return [pod for pod in observed.pods if dig(pod, "metadata", "labels", names.REVISION) == revision]


def ready_count(revision: str, observed: Observed) -> int:
    """Return how many stable pods of a revision take traffic."""
    return sum(map(is_ready, filter(_is_stable, pods_of(revision, observed))))


def _answers(owner: ModelDeployment, observed: Observed) -> bool:
    """Return whether the Service has a pod to send requests to, stable or canary."""
    tracks = (observed.deployment(owner.name), observed.deployment(names.canary_deployment(owner.name)))
    return any(live.count("availableReplicas") > 0 for live in tracks if live)


def _waiting(waiting: Waiting, live: Deployment | None, available: bool) -> Verdict:
    """Return the verdict while a rollout waits; that nobody is served meanwhile is no part of its plan."""
    is_lost = live is not None and live.completed and not live.settled and not available
    told = f"{waiting.message} No pod answers requests."
    message = told if is_lost else _with_serving(waiting.message, available)
    return Verdict(False, available, waiting.stalled, waiting.reason, message, degraded=is_lost)


def _is_stable(pod: Manifest) -> bool:
    return bool(dig(pod, "metadata", "labels", names.TRACK) != names.CANARY)


def _differing(owner: ModelDeployment, revision: str, observed: Observed) -> Verdict | None:
    """Return the verdict on pods of one revision that fetched different files, or None where they are the same.

    Only files that nothing pins can be overwritten between the starts of two pods.
    """
    pods = [pod for pod in pods_of(revision, observed) if not is_leaving(pod)]
    for index, model in enumerate(owner.spec.models):
        reports = (fetched_model(pod, names.fetch_container(index)) for pod in pods)
        if len({report["sha256"] for report in reports if report}) > 1:
            message = (
                f"Pods serve different files as {model.label}: those at {model.uri} were overwritten between "
                "their starts. Give each version an address of its own, or write model.sha256; or delete the "
                "older pods."
            )
            return Verdict(False, True, True, "ModelDiffers", _with_serving(message, True))
    return None


def _unrouted(owner: ModelDeployment, observed: Observed, available: bool) -> Verdict | None:
    """Return the verdict where pods serve, but not by the Gateway; None where there is none, or all is well."""
    route = route_of(owner, observed)
    if route is None or route.problem is None:
        return None
    return Verdict(False, available, False, route.problem.reason, _with_serving(route.problem.message, available))


def _settled(owner: ModelDeployment, live: Deployment) -> Verdict:
    if live.replicas == 0:
        return Verdict(True, False, False, "ScaledToZero", "No pods are asked for; raise spec.replicas to serve.")
    pods = "1 pod" if live.replicas == 1 else f"{live.replicas} pods"
    served = "is" if len(owner.spec.models) == 1 else "are"
    message = f"{owner.label} {served} served by {pods} at {owner.endpoint}."
    return Verdict(True, True, False, "Serving", message)


def _unsettled(live: Deployment, revision: str, observed: Observed, available: bool) -> Verdict:
    """Return the verdict on pods that are not all there: some are still to come, or some were lost.

    A Deployment that is only scaled up looks like one that lost pods, so what is degraded needs a sign of trouble.
    """
    progress = _progress(live, revision, observed)
    cause = _rejected(live) or diagnose(pods_of(revision, observed)) or _timed_out(live, progress)
    if cause is None:
        reason = "Scaling" if live.completed else "RollingOut"
        return Verdict(False, available, False, reason, progress, degraded=live.completed and not available)
    stalled = cause.stalled or live.deadline_exceeded
    message = _with_serving(cause.message, available)
    return Verdict(False, available, stalled, cause.reason, message, degraded=live.completed)


def _progress(live: Deployment, revision: str, observed: Observed) -> str:
    ready = ready_count(revision, observed)
    if ready < live.replicas:
        return f"{ready} of {live.replicas} pods of revision {revision} are ready."
    return f"Enough pods of revision {revision} are ready; they have to stay so, and the others to leave."


def _timed_out(live: Deployment, progress: str) -> Cause | None:
    if not live.deadline_exceeded:
        return None
    return Cause("ProgressDeadlineExceeded", f"The rollout makes no progress: {progress}", stalled=True)


def _rejected(live: Deployment) -> Cause | None:
    failure = live.condition("ReplicaFailure")
    if failure.get("status") != "True":
        return None
    return Cause("PodsRejected", f"The cluster refuses to create pods: {failure.get('message', '')}")


def _with_serving(message: str, available: bool) -> str:
    """Return whole sentences, the last of which answers the first question of anyone on call."""
    sentence = message if message.endswith((".", "!", "?", "…")) else f"{message}."
    return f"{sentence} The pods that are ready go on serving." if available else sentence
