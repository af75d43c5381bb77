"""Conditions of a ModelDeployment, as kstatus reads them.

``Ready`` and ``Available`` are always there, ``ModelsResolved`` where Azure Machine Learning has to tell what the
models are. While Ready is not true exactly one of ``Reconciling``
(the operator goes on by itself) and ``Stalled`` (somebody has to do something) is there, and true.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from modelfleet.core.manifest import Manifest

MESSAGE_LIMIT = 1024
PHASES = {
    "Paused": "Paused",
    "Frozen": "Waiting",
    "AnalysisInconclusive": "Waiting",
    "ApprovalNeeded": "Waiting",
    "RegionSettling": "Waiting",
    "RegionUnreachable": "Waiting",
    "WaveWaiting": "Waiting",
    "RollingBack": "RollingBack",
}
"""The phase while a reason holds that is not simply progress."""

Wanted = tuple[str, bool, str, str]
"""A condition's type, status, reason and message."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a ModelDeployment is doing: the one judgement that conditions, phase and Events are made from."""

    ready: bool
    available: bool
    stalled: bool
    reason: str
    message: str
    degraded: bool = False

    @property
    def phase(self) -> str:
        """Return the one-word summary for ``kubectl get``."""
        if self.ready:
            return "Healthy"
        if self.stalled or self.degraded:
            return "Degraded"
        return PHASES.get(self.reason, "Progressing")


def conditions(
    verdict: Verdict, resolved: Wanted | None, previous: list[Manifest], generation: int, now: datetime
) -> list[Manifest]:
    """Return the conditions; ``lastTransitionTime`` moves only where a condition's status changed."""
    wanted: list[Wanted] = [
        ("Ready", verdict.ready, verdict.reason, verdict.message),
        ("Available", verdict.available, *_availability(verdict)),
        *([resolved] if resolved else []),
    ]
    if not verdict.ready:
        kind = "Stalled" if verdict.stalled else "Reconciling"
        wanted.append((kind, True, verdict.reason, verdict.message))
    return [_condition(*fields, previous, generation, now) for fields in wanted]


def find(conditions: list[Manifest], kind: str) -> Manifest:
    """Return the condition of a type, or an empty mapping."""
    return next((c for c in conditions if c["type"] == kind), {})


def timestamp(moment: datetime) -> str:
    """Return a moment as Kubernetes writes it: UTC, whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _availability(verdict: Verdict) -> tuple[str, str]:
    if verdict.available:
        return "PodsAvailable", "At least one pod answers requests."
    return "NoPodAvailable", "No pod answers requests."


def _condition(
    kind: str,
    status: bool,
    reason: str,
    message: str,
    previous: list[Manifest],
    generation: int,
    now: datetime,
) -> Manifest:
    before = find(previous, kind)
    unchanged = before.get("status") == str(status)
    return {
        "type": kind,
        "status": str(status),
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if unchanged else timestamp(now),
        "reason": reason,
        "message": message[:MESSAGE_LIMIT],
    }
