"""A rollout: what has to be remembered, from one decision to the next, while a revision replaces another.

All of it is in the status, and nothing in the process: whoever reads it goes on where the last one stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from modelfleet.core.conditions import timestamp
from modelfleet.core.counters import Counters
from modelfleet.core.manifest import Manifest, dig

HISTORY_LIMIT = 10
REJECTED_LIMIT = 5
SUCCEEDED = "Succeeded"


class Phase(StrEnum):
    """Where a rollout is. Before it starts and after it ends there is none."""

    CANARY = "Canary"
    PROMOTING = "Promoting"
    BAKING = "Baking"
    ROLLING_BACK = "RollingBack"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a rollout goes back, or is held for a person to decide."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Rollout:
    """A revision on its way from ``previous``, to which it goes back.

    ``step`` counts from 0. ``since`` is when the phase, or the step, or a trouble while baking, began;
    ``ready_since`` from when on the pods have been as they should. ``baseline`` is what the pods had counted then,
    by their uids; None before that. ``models`` is what the revision serves, in words.
    """

    revision: str
    previous: str
    phase: Phase
    started_at: datetime
    since: datetime
    models: str = ""
    step: int = 0
    ready_since: datetime | None = None
    baked_s: int = 0
    baseline: Mapping[str, Counters] | None = None
    analysis: Manifest = field(default_factory=dict)
    request_percent: int | None = None
    failure: Failure | None = None

    @property
    def number(self) -> int:
        """Return the step as people count; 0 outside of a canary."""
        return self.step + 1 if self.phase is Phase.CANARY else 0


def read_rollout(status: Manifest) -> Rollout | None:
    """Return the rollout that the status tells of; None if none, or if it is not what was written."""
    entry: Manifest | None = status.get("rollout")
    try:
        return _read(entry) if entry else None
    except (KeyError, TypeError, ValueError):
        return None


def write_rollout(rollout: Rollout, steps: int) -> Manifest:
    """Return the fields of the status that the rollout is read from again."""
    ready = rollout.ready_since
    written: dict[str, Any] = {
        "revision": rollout.revision,
        "models": rollout.models or None,
        "previous": rollout.previous or None,
        "phase": str(rollout.phase),
        "step": rollout.step + 1 if steps else None,
        "steps": steps or None,
        "startedAt": timestamp(rollout.started_at),
        "since": timestamp(rollout.since),
        "readySince": timestamp(ready) if ready else None,
        "bakedSeconds": rollout.baked_s or None,
        "analysis": _written_analysis(rollout) or None,
        "failure": asdict(rollout.failure) if rollout.failure else None,
    }
    return {name: value for name, value in written.items() if value is not None}


def succeeded(status: Manifest) -> frozenset[str]:
    """Return the revisions that are known to be good."""
    return frozenset(e["revision"] for e in status.get("history", []) if e["result"] == SUCCEEDED)


def rejection(status: Manifest, revision: str) -> Failure | None:
    """Return why the revision is not tried again, or None where it may be.

    Once another revision has been the target, a person has decided anew.
    """
    if status.get("revision") != revision:
        return None
    found = (entry for entry in status.get("rejected", []) if entry["revision"] == revision)
    return next((Failure(entry["reason"], entry["message"]) for entry in found), None)


def _read(entry: Manifest) -> Rollout:
    analysis = dict(entry.get("analysis", {}))
    baseline = analysis.pop("baseline", None)
    failure = entry.get("failure")
    return Rollout(
        revision=entry["revision"],
        previous=entry.get("previous", ""),
        phase=Phase(entry["phase"]),
        started_at=_moment(entry["startedAt"]),
        since=_moment(entry["since"]),
        models=entry.get("models", ""),
        step=entry.get("step", 1) - 1,
        ready_since=_moment(entry["readySince"]) if "readySince" in entry else None,
        baked_s=entry.get("bakedSeconds", 0),
        baseline=None if baseline is None else _baseline(baseline),
        analysis=analysis,
        request_percent=dig(entry, "canary", "requestPercent"),
        failure=Failure(failure["reason"], failure["message"]) if failure else None,
    )


def _written_analysis(rollout: Rollout) -> dict[str, Any]:
    written = dict(rollout.analysis)
    if rollout.baseline is not None:
        pods = sorted(rollout.baseline.items())
        written["baseline"] = [{"pod": pod, **asdict(sample)} for pod, sample in pods]
    return written


def _baseline(entries: list[Manifest]) -> dict[str, Counters]:
    return {e["pod"]: Counters(**{name: e[name] for name in e if name != "pod"}) for e in entries}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
