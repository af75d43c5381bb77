"""What became of the rollouts of a ModelDeployment, as text."""

from __future__ import annotations

from datetime import datetime

from modelfleet.cli import times
from modelfleet.cli.layout import columns
from modelfleet.core.manifest import Manifest

HEADINGS = ("FINISHED", "RESULT", "REVISION", "MODELS", "TOOK", "WHY")
REJECTED = ("REJECTED", "REVISION", "MODELS", "WHY")


def history(body: Manifest, now: datetime) -> list[str]:
    """Return the lines on what has ended, and below it on what is not tried again; newest first."""
    status = body.get("status", {})
    ended = [_ended(entry, now) for entry in status.get("history", [])]
    rejected = [_rejected(entry, now) for entry in status.get("rejected", [])]
    below = ["", *columns([REJECTED, *rejected])] if rejected else []
    return [*(columns([HEADINGS, *ended]) if ended else ["Nothing has ended yet."]), *below]


def _ended(entry: Manifest, now: datetime) -> tuple[str, ...]:
    began, ended = entry.get("startedAt", ""), entry.get("finishedAt", "")
    result, revision, models = entry["result"], entry["revision"], entry.get("models", "")
    return times.told(ended, now), result, revision, models, times.took(began, ended), _why(entry)


def _rejected(entry: Manifest, now: datetime) -> tuple[str, ...]:
    return times.told(entry["at"], now), entry["revision"], entry.get("models", ""), _why(entry)


def _why(entry: Manifest) -> str:
    return ": ".join(filter(None, (entry.get("reason", ""), entry.get("message", ""))))
