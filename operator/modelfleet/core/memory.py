"""What the status remembers of rollouts: the one under way, those that ended, and what is not tried again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from modelfleet.core import names, traffic
from modelfleet.core.api import ModelDeployment
from modelfleet.core.commands import OF_A_STEP, read_commands
from modelfleet.core.conditions import timestamp
from modelfleet.core.decision import Decision, Ended
from modelfleet.core.manifest import Manifest
from modelfleet.core.observed import Observed
from modelfleet.core.revision import revision_of
from modelfleet.core.rollout import (
    HISTORY_LIMIT,
    REJECTED_LIMIT,
    SUCCEEDED,
    Phase,
    Rollout,
    read_rollout,
    rejection,
    write_rollout,
)

FIELDS = ("rollout", "stableRevision", "commands", "history", "rejected")


def kept(status: Manifest) -> Manifest:
    """Return what is remembered already."""
    return {name: status[name] for name in FIELDS if name in status}


@dataclass(frozen=True, slots=True)
class Move:
    """A transition of a rollout: the phase, or the result, that it has come to; and after how long it ended."""

    to: str
    took: timedelta | None = None


def move_of(before: Manifest, decision: Decision, now: datetime) -> Move | None:
    """Return the transition that a decision makes, or None where all stays as it was."""
    if decision.ended:
        return Move(decision.ended.result, now - decision.ended.rollout.started_at)
    prior, after = read_rollout(before), decision.rollout
    if after is None or (prior and _place(prior) == _place(after)):
        return None
    return Move(str(after.phase))


def _place(rollout: Rollout) -> tuple[str, Phase, int]:
    return rollout.revision, rollout.phase, rollout.step


def remembered(owner: ModelDeployment, observed: Observed, decision: Decision, now: datetime) -> Manifest:
    """Return the fields of the status that the next decision is made from."""
    rollout, live = decision.rollout, observed.deployment(owner.name)
    return {
        "stableRevision": (live.revision if live else "") or None,
        "rollout": _rollout(owner, observed, decision, rollout) if rollout else None,
        "commands": _commands(owner, decision) or None,
        "history": _history(owner, observed, decision, now) or None,
        "rejected": _rejected(owner, decision, now) or None,
    }


def _rollout(owner: ModelDeployment, observed: Observed, decision: Decision, rollout: Rollout) -> Manifest:
    steps = owner.spec.rollout.steps if owner.spec.rollout else ()
    written = dict(write_rollout(rollout, len(steps)))
    canary = _canary(owner, observed, decision, rollout, steps)
    return {**written, "canary": canary} if canary else written


def _canary(
    owner: ModelDeployment, observed: Observed, decision: Decision, rollout: Rollout, steps: tuple[int, ...]
) -> Manifest:
    live, stable = observed.deployment(names.canary_deployment(owner.name)), observed.deployment(owner.name)
    is_stepping = rollout.phase is Phase.CANARY and bool(steps)
    shown: dict[str, Any] = {
        "replicas": decision.canary,
        "readyReplicas": live.count("readyReplicas") if live else None,
        "desiredPercent": steps[min(rollout.step, len(steps) - 1)] if is_stepping else None,
        "podPercent": traffic.share(decision.canary or 0, stable.replicas) if is_stepping and stable else None,
        "requestPercent": rollout.request_percent,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _commands(owner: ModelDeployment, decision: Decision) -> Manifest:
    """Return which commands are done with. Those to go on are for the end of the step that they mean, whenever
    that comes, and one to try again what just goes back is for afterwards.
    """
    commands, before, rollout = read_commands(owner.body), read_rollout(owner.status), decision.rollout
    done = commands.after(revision_of(owner.spec), before.number if before else 0)
    is_same = before and rollout and _place(before) == _place(rollout)
    is_back = decision.ended or (rollout and rollout.phase is Phase.ROLLING_BACK)
    early = {*(OF_A_STEP if is_same else ()), *({"retry"} if is_back else ())}
    return {verb: value for verb, value in done.items() if verb not in early or value == commands.done.get(verb)}


def _history(owner: ModelDeployment, observed: Observed, decision: Decision, now: datetime) -> list[Manifest]:
    """Return the newest entries, and in any case the newest that tells of a good revision."""
    before = owner.status.get("history", [])
    entries = [*_news(owner, observed, decision, before, now), *before]
    kept, older = entries[:HISTORY_LIMIT], entries[HISTORY_LIMIT:]
    if any(entry["result"] == SUCCEEDED for entry in kept):
        return kept
    return [*kept[:-1], *older[:1]] if older else kept


def _news(
    owner: ModelDeployment, observed: Observed, decision: Decision, before: list[Manifest], now: datetime
) -> Iterator[Manifest]:
    """Yield what has ended. Without a rollout, what was applied at once has ended when all its pods serve."""
    if decision.ended:
        yield _entry(decision.ended, now)
        return
    live, revision = observed.deployment(owner.name), revision_of(owner.spec)
    is_done = not decision.rollout and live is not None and live.revision == revision and live.settled
    last = next((entry for entry in before if entry["result"] == SUCCEEDED), {})
    if is_done and last.get("revision") != revision:
        yield {"revision": revision, "models": owner.label, "result": SUCCEEDED, "finishedAt": timestamp(now)}


def _entry(ended: Ended, now: datetime) -> Manifest:
    rollout, failure = ended.rollout, ended.rollout.failure
    entry = {
        "revision": rollout.revision,
        "models": rollout.models,
        "result": ended.result,
        "startedAt": timestamp(rollout.started_at),
        "finishedAt": timestamp(now),
        "reason": failure.reason if failure else "",
        "message": failure.message if failure else "",
    }
    return {name: value for name, value in entry.items() if value}


def _rejected(owner: ModelDeployment, decision: Decision, now: datetime) -> list[Manifest]:
    """Return what is not tried again: what goes back because it failed is, and what is on its way is not; nor is
    what a person wants again, who says so or has asked for something else in between.
    """
    rollout, target = decision.rollout, revision_of(owner.spec)
    is_idle = rollout is None and decision.ended is None
    is_wanted = is_idle and read_commands(owner.body).asks("retry", target)
    before: list[Manifest] = owner.status.get("rejected", [])
    if is_wanted or not rejection(owner.status, target):
        before = [entry for entry in before if entry["revision"] != target]
    if rollout is None:
        return before
    others = [entry for entry in before if entry["revision"] != rollout.revision]
    if rollout.phase is not Phase.ROLLING_BACK:
        return others
    same = [entry for entry in before if entry["revision"] == rollout.revision]
    new = [_rejection(rollout, now)] if rollout.failure else []
    return [*(same or new), *others][:REJECTED_LIMIT]


def _rejection(rollout: Rollout, now: datetime) -> Manifest:
    assert rollout.failure is not None  # noqa: S101  for the type checker
    return {
        "revision": rollout.revision,
        "models": rollout.models or rollout.revision,
        "reason": rollout.failure.reason,
        "message": rollout.failure.message,
        "at": timestamp(now),
    }
