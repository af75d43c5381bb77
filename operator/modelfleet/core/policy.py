"""Policy: how a change reaches users, as ``spec.rollout`` says it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

from modelfleet.core.analysis import Criteria
from modelfleet.core.manifest import Manifest, dig

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
class Shadow:
    """Which share of the requests is copied for a canary, and how far numbers may differ that count as equal."""

    percent: int
    tolerance: float


@dataclass(frozen=True, slots=True)
class Wave:
    """Regions that change together, by their names or ``*`` for all that no wave names."""

    name: str
    regions: tuple[str, ...]
    approval: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """How a revision replaces another. Without ``steps`` there is no canary, and without ``criteria`` no analysis.

    ``steps`` are percentages, each of which lasts for ``pause`` once its pods are ready, and with ``approval``
    until a person lets it go on; ``samples`` names the ConfigMap of what those pods have to answer before.
    Without ``waves``, regions change one after the other.
    """

    steps: tuple[int, ...] = ()
    pause: timedelta = PAUSE
    approval: bool = False
    criteria: Criteria | None = None
    samples: str = ""
    shadow: Shadow | None = None
    bake: timedelta = timedelta()
    on_failure: str = "Rollback"
    progress_deadline: timedelta = PROGRESS_DEADLINE
    paused: bool = False
    freezes: tuple[Freeze, ...] = ()
    waves: tuple[Wave, ...] = ()
    unreachable: str = "Block"
    rollback: str = "Wave"

    def frozen(self, now: datetime) -> Freeze | None:
        """Return the freeze that ends last of those that hold now, or None."""
        held = (freeze for freeze in self.freezes if freeze.start <= now < freeze.end)
        return max(held, key=lambda freeze: freeze.end, default=None)


def parse_policy(rollout: Manifest | None) -> Policy | None:
    """Return what ``spec.rollout`` says, or None where there is none."""
    if rollout is None:
        return None
    canary, analysis = rollout.get("canary", {}), rollout.get("analysis", {})
    return Policy(
        steps=tuple(canary.get("steps", ())),
        criteria=_criteria(analysis),
        samples=dig(analysis, "smoke", "configMapRef") or "",
        shadow=_shadow(analysis.get("shadow")),
        on_failure=rollout.get("onFailure", "Rollback"),
        paused=rollout.get("paused", False),
        freezes=tuple(_freezes(rollout.get("freeze", ()))),
        waves=tuple(_waves(rollout.get("waves", ()))),
        unreachable=rollout.get("unreachable", "Block"),
        rollback=rollout.get("rollback", "Wave"),
        pause=duration(canary.get("pause", "5m")),
        approval=canary.get("approval", False),
        bake=duration(rollout.get("bake", "0s")),
        progress_deadline=duration(rollout.get("progressDeadline", "15m")),
    )


def duration(text: str) -> timedelta:
    """Return a duration in Go's notation, such as ``1h30m``; raises ValueError for anything else."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration such as 90s, 15m or 1h30m")
    return sum((timedelta(**{_UNITS[unit]: float(number)}) for number, unit in parts), timedelta())


def _criteria(analysis: Manifest) -> Criteria | None:
    """Return what the counters have to say, or None where nothing is asked of them."""
    rate, latency = analysis.get("maxErrorRate"), analysis.get("maxLatencyP99")
    shadow, needed = analysis.get("shadow", {}), analysis.get("minRequests", 200)
    agreement = shadow.get("minAgreement")
    if not (rate or latency or agreement):
        return None
    return Criteria(
        max_error_rate=_part(rate) if rate else None,
        max_latency_p99_s=duration(latency).total_seconds() if latency else None,
        min_requests=needed,
        max_disagreement=1 - _part(agreement) if agreement else None,
        min_comparisons=ceil(needed * shadow.get("percent", 0) / 100),
    )


def _shadow(shadow: Manifest | None) -> Shadow | None:
    return Shadow(shadow["percent"], _part(shadow.get("tolerance", "1%"))) if shadow else None


def _part(percentage: str) -> float:
    return float(percentage.removesuffix("%")) / 100


def _waves(waves: Iterable[Manifest]) -> Iterator[Wave]:
    for wave in waves:
        yield Wave(wave["name"], tuple(wave["regions"]), wave.get("approval", False))


def _freezes(freezes: tuple[Manifest, ...] | list[Manifest]) -> Iterator[Freeze]:
    for freeze in freezes:
        start, end = (datetime.fromisoformat(freeze[key]).astimezone(UTC) for key in ("from", "to"))
        yield Freeze(start, end, freeze.get("reason", ""))
