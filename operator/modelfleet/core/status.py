"""The status of a ModelDeployment, and the Events that its changes are worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from modelfleet.core import names
from modelfleet.core.api import Model, ModelDeployment
from modelfleet.core.conditions import Verdict, Wanted, conditions, find, timestamp
from modelfleet.core.decision import Decision, Waiting
from modelfleet.core.diagnosis import Cause, fetched_model
from modelfleet.core.manifest import Manifest, dig
from modelfleet.core.memory import kept, remembered
from modelfleet.core.observed import Deployment, Observed
from modelfleet.core.registered import Resolved, is_resolved
from modelfleet.core.revision import revision_of
from modelfleet.core.verdict import judge, pods_of, ready_count

CALM_REASONS = frozenset(
    {
        "ApprovalNeeded",
        "Baking",
        "CanaryRunning",
        "CanaryStarting",
        "Creating",
        "Frozen",
        "Paused",
        "Resolving",
        "Retrying",
        "RollingOut",
        "Scaling",
        "WaveWaiting",
    }
)
NEXT = {
    "AnalysisInconclusive": "promote",
    "ApprovalNeeded": "approve",
    "Baking": "promote",
    "CanaryRunning": "promote",
    "Paused": "resume",
    "RolledBack": "retry",
    "RolloutFailed": "promote",
}
"""The command that ends a wait of a rollout before its time."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A change worth an Event."""

    type: Literal["Normal", "Warning"]
    reason: str
    note: str


def status_of(
    resolved: Resolved,
    observed: Observed,
    problem: Cause | None,
    now: datetime,
    decision: Decision | None = None,
) -> Manifest:
    """Return the whole status; ``problem`` is what kept the objects from being applied, if anything.

    Without a decision, because of that problem, what is remembered of the rollout stays as it was.
    """
    owner = resolved.owner
    revision = revision_of(owner.spec) if is_resolved(owner) else owner.status.get("revision", "")
    waiting = decision.waiting if decision else None
    verdict = judge(owner, revision, observed, problem, waiting)
    live = observed.deployment(owner.name)
    status = {
        "observedGeneration": owner.generation,
        "phase": verdict.phase,
        "progress": _progress(owner, revision, observed, decision),
        "message": verdict.message,
        "revision": (revision if decision or not owner.spec.rollout else owner.status.get("revision")) or None,
        **(remembered(owner, observed, decision, now) if decision else kept(owner.status)),
        "endpoint": owner.endpoint,
        "image": live.image if live and live.revision == revision else None,
        "models": models_status(resolved, revision, observed),
        "environment": environment_status(owner),
        **_counts(live),
        "selector": names.selector_string(names.pod_selector(owner.name)),
        "waitingFor": None if verdict.ready else _waiting_for(owner, verdict, live, problem, decision),
        "conditions": conditions(
            verdict, models_resolved(resolved, problem), owner.status.get("conditions", []), owner.generation, now
        ),
    }
    return {name: value for name, value in status.items() if value is not None}


def transitions(owner: ModelDeployment, status: Manifest) -> tuple[Transition, ...]:
    """Return what the new status changes of readiness or its reason, and what Azure has begun or ceased to tell.

    That a new object is being rolled out is no news: everything starts so.
    """
    return (*_readiness(owner, status), *_resolution(owner, status))


def _readiness(owner: ModelDeployment, status: Manifest) -> Iterator[Transition]:
    before = find(owner.status.get("conditions", []), "Ready")
    after = find(status["conditions"], "Ready")
    known = (before["status"], before["reason"]) if before else ("False", "RollingOut")
    if known != (after["status"], after["reason"]):
        calm = after["status"] == "True" or after["reason"] in CALM_REASONS
        yield Transition("Normal" if calm else "Warning", after["reason"], after["message"])


def _resolution(owner: ModelDeployment, status: Manifest) -> Iterator[Transition]:
    """Yield what makes a difference to ``ModelsResolved`` while Ready is silent about it."""
    before = find(owner.status.get("conditions", []), "ModelsResolved")
    after = find(status["conditions"], "ModelsResolved")
    ready = find(status["conditions"], "Ready")
    if before and after and after["reason"] not in {before["reason"], ready["reason"]}:
        kind: Literal["Normal", "Warning"] = "Normal" if after["status"] == "True" else "Warning"
        yield Transition(kind, after["reason"], after["message"])


def models_resolved(resolved: Resolved, problem: Cause | None) -> Wanted | None:
    """Return the condition on what Azure tells, where Azure has to tell something.

    It cannot be asked where ``problem`` came first.
    """
    spec = resolved.owner.spec
    if not spec.environment and not any(model.workspace for model in spec.models):
        return None
    unasked = None if is_resolved(resolved.owner) else problem
    if cause := resolved.problem or resolved.trouble or unasked:
        return "ModelsResolved", False, cause.reason, cause.message
    return (
        "ModelsResolved",
        True,
        "Resolved",
        f"Azure Machine Learning has told what to serve: {resolved.owner.label}.",
    )


def models_status(resolved: Resolved, revision: str, observed: Observed) -> list[Manifest]:
    before: dict[str, Manifest] = {entry["name"]: entry for entry in resolved.owner.status.get("models", [])}
    return [
        _model_status(index, model, before.get(model.name, {}), resolved, revision, observed)
        for index, model in enumerate(resolved.owner.spec.models)
    ]


def _model_status(
    index: int, model: Model, before: Manifest, resolved: Resolved, revision: str, observed: Observed
) -> Manifest:
    """Return what is known of a model: what is stated, what Azure told, and what a pod's fetcher measured.

    What was measured is kept as long as the revision lasts, and what was told until something else is.
    """
    if not model.uri:
        return before or {"name": model.name}
    told = resolution.status() if (resolution := resolved.models.get(model.name)) else {}
    same = resolved.owner.status.get("revision") == revision
    measured = _measured(index, revision, observed) or {
        name: before[name] for name in ("digest", "sizeBytes", "files") if same and name in before
    }
    stated = {"name": model.name, "version": model.version}
    return {name: value for name, value in {**stated, **told, **measured}.items() if value != ""}


def _measured(index: int, revision: str, observed: Observed) -> Manifest:
    """Return what a pod's fetcher found, or nothing as long as none is done."""
    container = names.fetch_container(index)
    reports = (fetched_model(pod, container) for pod in pods_of(revision, observed))
    if not (report := next(filter(None, reports), None)):
        return {}
    return {"digest": f"sha256:{report['sha256']}", "sizeBytes": report["bytes"], "files": report["files"]}


def environment_status(owner: ModelDeployment) -> Manifest | None:
    environment, image = owner.spec.environment, owner.spec.image
    if not environment:
        return None
    return {"source": environment.source, "image": image} if image else owner.status.get("environment")


def _counts(live: Deployment | None) -> Manifest:
    return {name: live.count(name) if live else 0 for name in ("replicas", "readyReplicas", "updatedReplicas")}


def _progress(owner: ModelDeployment, revision: str, observed: Observed, decision: Decision | None) -> str:
    rollout, policy = decision.rollout if decision else None, owner.spec.rollout
    if rollout and policy and rollout.number:
        return f"canary {rollout.number}/{len(policy.steps)}"
    live = observed.deployment(owner.name)
    return f"{ready_count(revision, observed)}/{live.replicas if live else owner.spec.replicas} ready"


def _waiting_for(
    owner: ModelDeployment,
    verdict: Verdict,
    live: Deployment | None,
    problem: Cause | None,
    decision: Decision | None,
) -> Manifest:
    """Return what is awaited, and the command that tells more: of the pods, or of the resource itself."""
    if decision and decision.waiting and not problem:
        return _rollout_waits_for(owner, decision.waiting)
    pods = f"pods -l {names.selector_string(names.pod_selector(owner.name))}"
    subject = f"modeldeployment {owner.name}" if problem or live is None else pods
    hint = f"kubectl describe -n {owner.namespace} {subject}"
    until = None if verdict.stalled else _deadline(live)
    return {"reason": verdict.reason, "hint": hint, **({"until": until} if until else {})}


def _rollout_waits_for(owner: ModelDeployment, waiting: Waiting) -> Manifest:
    verb = NEXT.get(waiting.reason)
    command = f"modelfleet {verb}" if verb else "kubectl describe modeldeployment"
    hint = f"{command} {owner.name} -n {owner.namespace}"
    until = {"until": timestamp(waiting.until)} if waiting.until else {}
    return {"reason": waiting.reason, "hint": hint, **until}


def _deadline(live: Deployment | None) -> str | None:
    """Return when the rollout counts as stalled unless it makes progress before."""
    progressing = live.condition("Progressing") if live else {}
    if progressing.get("reason") not in {"NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated"}:
        return None
    since = datetime.fromisoformat(progressing["lastUpdateTime"])
    deadline_s = dig(live.manifest, "spec", "progressDeadlineSeconds") if live else 0
    return timestamp(since + timedelta(seconds=deadline_s or 0))
