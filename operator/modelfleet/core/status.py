"""The status of a ModelDeployment, and the Events that its changes are worth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from modelfleet.core import names
from modelfleet.core.api import ModelDeployment
from modelfleet.core.conditions import Verdict, conditions, find, timestamp
from modelfleet.core.diagnosis import Cause, fetched_model
from modelfleet.core.manifest import Manifest
from modelfleet.core.observed import Deployment, Observed
from modelfleet.core.revision import revision_of
from modelfleet.core.verdict import judge, pods_of, ready_count

PROGRESS_DEADLINE = timedelta(minutes=10)
CALM_REASONS = frozenset({"Creating", "RollingOut", "Scaling"})


@dataclass(frozen=True, slots=True)
class Transition:
    """A change worth an Event."""

    type: Literal["Normal", "Warning"]
    reason: str
    note: str


def status_of(owner: ModelDeployment, observed: Observed, problem: Cause | None, now: datetime) -> Manifest:
    """Return the whole status; ``problem`` is what kept the objects from being applied, if anything."""
    revision = revision_of(owner.spec)
    verdict = judge(owner, revision, observed, problem)
    live = observed.deployment(owner.name)
    wanted = live.replicas if live else owner.spec.replicas
    status = {
        "observedGeneration": owner.generation,
        "phase": verdict.phase,
        "progress": f"{ready_count(revision, observed)}/{wanted} ready",
        "message": verdict.message,
        "revision": revision,
        "endpoint": owner.endpoint,
        "image": live.image if live and live.revision == revision else None,
        "model": _model_status(owner, revision, observed),
        **_counts(live),
        "selector": names.selector_string(names.pod_selector(owner.name)),
        "waitingFor": None if verdict.ready else _waiting_for(owner, verdict, live, problem),
        "conditions": conditions(verdict, owner.status.get("conditions", []), owner.generation, now),
    }
    return {name: value for name, value in status.items() if value is not None}


def transitions(owner: ModelDeployment, status: Manifest) -> tuple[Transition, ...]:
    """Return what the new status changes of readiness or its reason: one transition, or none.

    That a new object is being rolled out is no news: everything starts so.
    """
    before = find(owner.status.get("conditions", []), "Ready")
    after = find(status["conditions"], "Ready")
    known = (before["status"], before["reason"]) if before else ("False", "RollingOut")
    if known == (after["status"], after["reason"]):
        return ()
    calm = after["status"] == "True" or after["reason"] in CALM_REASONS
    return (Transition("Normal" if calm else "Warning", after["reason"], after["message"]),)


def _model_status(owner: ModelDeployment, revision: str, observed: Observed) -> Manifest:
    model = {"name": owner.spec.model.name, "version": owner.spec.model.version}
    files = _files_status(owner, revision, observed)
    return {name: value for name, value in {**model, **files}.items() if value}


def _files_status(owner: ModelDeployment, revision: str, observed: Observed) -> Manifest:
    """Return what a pod's fetcher measured of the files; it is kept as long as the revision lasts."""
    reports = filter(None, map(fetched_model, pods_of(revision, observed)))
    if report := next(reports, None):
        return {"digest": f"sha256:{report['sha256']}", "sizeBytes": report["bytes"], "files": report["files"]}
    before = owner.status.get("model", {}) if owner.status.get("revision") == revision else {}
    return {name: before.get(name) for name in ("digest", "sizeBytes", "files")}


def _counts(live: Deployment | None) -> Manifest:
    return {name: live.count(name) if live else 0 for name in ("replicas", "readyReplicas", "updatedReplicas")}


def _waiting_for(
    owner: ModelDeployment, verdict: Verdict, live: Deployment | None, problem: Cause | None
) -> Manifest:
    """Return what is awaited, and the command that tells more: of the pods, or of the resource itself."""
    pods = f"pods -l {names.selector_string(names.pod_selector(owner.name))}"
    subject = f"modeldeployment {owner.name}" if problem or live is None else pods
    hint = f"kubectl describe -n {owner.namespace} {subject}"
    until = None if verdict.stalled else _deadline(live)
    return {"reason": verdict.reason, "hint": hint, **({"until": until} if until else {})}


def _deadline(live: Deployment | None) -> str | None:
    """Return when the rollout counts as stalled unless it makes progress before."""
    progressing = live.condition("Progressing") if live else {}
    if progressing.get("reason") not in {"NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated"}:
        return None
    since = datetime.fromisoformat(progressing["lastUpdateTime"])
    return timestamp(since + PROGRESS_DEADLINE)
