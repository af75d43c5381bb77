"""Policy: how a change reaches users, as ``spec.rollout`` says it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from modelfleet.core.analysis import Criteria
from modelfleet.core.manifest import Manifest

PROGRESS_DEADLINE = timedelta(minutes=15)
PAUSE = timedelta(minutes=5)

_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours"}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[smh])")


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time in which no step of a rollout begins."""

    start: datetime
    end: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """How a revision replaces another. Without ``steps`` there is no canary, and without ``criteria`` no analysis.

    ``steps`` are percentages, each of which lasts for ``pause`` once its pods are ready.
    """

    steps: tuple[int, ...] = ()
    pause: timedelta = PAUSE
    criteria: Criteria | None = None
    bake: timedelta = timedelta()
    on_failure: str = "Rollback"
    progress_deadline: timedelta = PROGRESS_DEADLINE
    paused: bool = False
    freezes: tuple[Freeze, ...] = ()

    def frozen(self, now: datetime) -> Freeze | None:
        """Return the freeze that ends last of those that hold now, or None."""
        held = (freeze for freeze in self.freezes if freeze.start <= now < freeze.end)
        return max(held, key=lambda freeze: freeze.end, default=None)


def parse_policy(rollout: Manifest | None) -> Policy | None:
    """Return what ``spec.rollout`` says, or None where there is none."""
    if rollout is None:
        return None
    canary = rollout.get("canary", {})
    return Policy(
        steps=tuple(canary.get("steps", ())),
        criteria=_criteria(rollout.get("analysis")),
        on_failure=rollout.get("onFailure", "Rollback"),
        paused=rollout.get("paused", False),
        freezes=tuple(_freezes(rollout.get("freeze", ()))),
        pause=duration(canary.get("pause", "5m")),
        bake=duration(rollout.get("bake", "0s")),
        progress_deadline=duration(rollout.get("progressDeadline", "15m")),
    )


def duration(text: str) -> timedelta:
    """Return a duration in Go's notation, such as ``1h30m``; raises ValueError for anything else."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration such as 90s, 15m or 1h30m")
    return sum((timedelta(**{_UNITS[unit]: float(number)}) for number, unit in parts), timedelta())


def _criteria(analysis: Manifest | None) -> Criteria | None:
    if analysis is None:
        return None
    rate, latency = analysis.get("maxErrorRate"), analysis.get("maxLatencyP99")
    return Criteria(
        max_error_rate=float(rate.removesuffix("%")) / 100 if rate else None,
        max_latency_p99_s=duration(latency).total_seconds() if latency else None,
        min_requests=analysis.get("minRequests", 200),
    )


def _freezes(freezes: tuple[Manifest, ...] | list[Manifest]) -> Iterator[Freeze]:
    for freeze in freezes:
        start, end = (datetime.fromisoformat(freeze[key]).astimezone(UTC) for key in ("from", "to"))
        yield Freeze(start, end, freeze.get("reason", ""))
