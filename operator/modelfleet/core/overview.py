"""The status of a ModelDeployment that is in several clusters: what its places tell, in one judgement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from modelfleet.core import names
from modelfleet.core.api import ModelDeployment
from modelfleet.core.commands import read_commands
from modelfleet.core.conditions import Verdict, conditions, timestamp
from modelfleet.core.decision import ROLLED_BACK, SUPERSEDED
from modelfleet.core.diagnosis import Cause
from modelfleet.core.manifest import Manifest
from modelfleet.core.observed import Observed
from modelfleet.core.registered import Resolved, is_resolved
from modelfleet.core.revision import revision_of
from modelfleet.core.rollout import HISTORY_LIMIT, SUCCEEDED
from modelfleet.core.status import NEXT, environment_status, models_resolved, models_status
from modelfleet.core.waves import Guidance, Journey, RegionState, read_journey, write_journey

KEPT = ("rollout", "history", "commands")


@dataclass(frozen=True, slots=True)
class Travel:
    """Where the waves are, and how far each place is."""

    guidance: Guidance
    states: Sequence[RegionState]


def overview(
    resolved: Resolved,
    observed: Observed,
    entries: Sequence[Manifest],
    stalled: frozenset[str],
    travel: Travel | None,
    problem: Cause | None,
    now: datetime,
) -> Manifest:
    """Return the whole status; ``observed`` are the pods of all places, ``stalled`` those that a person has to
    help.

    ``problem`` kept anything from being decided at all; then, what is remembered of the waves stays as it was.
    """
    owner = resolved.owner
    revision = revision_of(owner.spec) if is_resolved(owner) else owner.status.get("revision", "")
    wanted = [entry for entry in entries if "removingSince" not in entry]
    verdict = _judged(owner, wanted, stalled, travel, problem)
    ready = f"{sum(entry.get('ready', False) for entry in wanted)}/{len(wanted)}"
    remembered = _remembered(owner, travel, now) if travel else _kept(owner.status)
    status = {
        "observedGeneration": owner.generation,
        "phase": verdict.phase,
        "progress": f"{ready} regions",
        "regionsReady": ready,
        "message": verdict.message,
        "revision": (revision if travel else owner.status.get("revision")) or None,
        **remembered,
        "endpoint": owner.endpoint,
        "models": models_status(resolved, revision, observed),
        "environment": environment_status(owner),
        **{name: sum(entry.get(name, 0) for entry in entries) for name in ("replicas", "readyReplicas")},
        "updatedReplicas": sum(entry.get("updatedReplicas", 0) for entry in entries),
        "selector": names.selector_string(names.pod_selector(owner.name)),
        "waitingFor": None if verdict.ready else _waiting_for(owner, verdict, travel),
        "regions": list(entries),
        "conditions": conditions(
            verdict, models_resolved(resolved, problem), owner.status.get("conditions", []), owner.generation, now
        ),
    }
    return {name: value for name, value in status.items() if value is not None}


def _judged(
    owner: ModelDeployment,
    entries: Sequence[Manifest],
    stalled: frozenset[str],
    travel: Travel | None,
    problem: Cause | None,
) -> Verdict:
    available = bool(entries) and all(entry.get("available", False) for entry in entries)
    if problem:
        return Verdict(False, available, problem.stalled, problem.reason, problem.message)
    unready = [entry for entry in entries if not entry["ready"]]
    waiting = travel.guidance.waiting if travel else None
    if waiting:
        return Verdict(False, available, waiting.stalled, waiting.reason, waiting.message)
    if not unready:
        return Verdict(True, available, False, "Serving", _serving(owner, entries))
    worst = min(unready, key=_severity)
    message = f"{worst['name']}: {worst['message']}"
    return Verdict(
        False, available, worst["name"] in stalled, worst["reason"], message, degraded=worst["phase"] == "Degraded"
    )


def _severity(entry: Manifest) -> int:
    """Return how early a place is told of: first what is broken, then what cannot be seen, then what goes on."""
    order = ("Degraded", "RollingBack", "Unreachable", "Detached", "Progressing")
    return order.index(entry["phase"]) if entry["phase"] in order else len(order)


def _serving(owner: ModelDeployment, entries: Sequence[Manifest]) -> str:
    served = "is" if len(owner.spec.models) == 1 else "are"
    where = ", ".join(entry["name"] for entry in entries)
    return f"{owner.label} {served} served in {where} at {owner.endpoint}."


def _kept(status: Manifest) -> Manifest:
    return {name: status[name] for name in KEPT if name in status}


def _remembered(owner: ModelDeployment, travel: Travel, now: datetime) -> Manifest:
    history = [*_news(owner, travel, now), *owner.status.get("history", [])][:HISTORY_LIMIT]
    journey = travel.guidance.journey
    rollout = write_journey(journey, travel.states) if journey else None
    return {"rollout": rollout, "history": history or None, "commands": _commands(owner, journey) or None}


def _commands(owner: ModelDeployment, journey: Journey | None) -> Manifest:
    """Return which commands are done with: an approval once it has opened a wave."""
    before, done = read_journey(owner.status), owner.status.get("commands", {})
    opened = _approvals(journey) - _approvals(before)
    given = read_commands(owner.body).given
    return {**done, "approve": given["approve"]} if opened and "approve" in given else dict(done)


def _approvals(journey: Journey | None) -> set[str]:
    return {wave.name for wave in journey.waves if wave.approved} if journey else set()


def _news(owner: ModelDeployment, travel: Travel, now: datetime) -> Iterator[Manifest]:
    """Yield what has ended: the change of all places, or the one that is not wanted any more."""
    before, target = read_journey(owner.status), revision_of(owner.spec)
    newest: Manifest = next(iter(owner.status.get("history", [])), {})
    if before and before.revision != target and newest.get("revision") != before.revision:
        yield _entry(before.revision, before.models, SUPERSEDED, before.started_at, now)
    result = _result(travel)
    if result and (newest.get("revision"), newest.get("result")) != (target, result):
        started = before.started_at if before and before.revision == target else None
        yield _entry(target, owner.label, result, started, now)


def _result(travel: Travel) -> str:
    """Return how the change to the target has ended, or nothing while it goes on."""
    guidance = travel.guidance
    if travel.states and guidance.is_complete:
        return SUCCEEDED
    return ROLLED_BACK if guidance.waiting and guidance.waiting.reason == ROLLED_BACK else ""


def _entry(revision: str, models: str, result: str, started: datetime | None, now: datetime) -> Manifest:
    began = {"startedAt": timestamp(started)} if started else {}
    return {"revision": revision, "models": models, "result": result, **began, "finishedAt": timestamp(now)}


def _waiting_for(owner: ModelDeployment, verdict: Verdict, travel: Travel | None) -> Manifest:
    waiting = travel.guidance.waiting if travel else None
    verb = NEXT.get(verdict.reason)
    command = f"modelfleet {verb}" if verb else "modelfleet status"
    until = {"until": timestamp(waiting.until)} if waiting and waiting.until else {}
    return {"reason": verdict.reason, "hint": f"{command} {owner.name} -n {owner.namespace}", **until}
