"""How a member cluster stands after what was asked of it: a few failures in a row are forgiven, no more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from modelfleet.core.inventory.site import State

CONNECTING = "Connecting"
"""The reason while a cluster has neither been seen nor missed yet."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a cluster and since when; `failures` are those in a row, since `failing_since`."""

    state: State
    since: datetime
    reason: str = ""
    message: str = ""
    failures: int = 0
    failing_since: datetime | None = None

    def answered(self, now: datetime) -> Standing:
        """Return how it stands after an answer: one is enough."""
        return Standing(State.REACHABLE, self.since if self.state is State.REACHABLE else now)

    def failed(self, now: datetime, reason: str, message: str, patience: int) -> Standing:
        """Return how it stands after a failure; `patience` is how many in a row it takes to be given up."""
        failures, failing_since = self.failures + 1, self.failing_since or now
        was_reachable = self.state is State.REACHABLE
        if was_reachable and failures < patience:
            return replace(self, failures=failures, failing_since=failing_since)
        since = failing_since if was_reachable else self.since
        return Standing(State.UNREACHABLE, since, reason, message, failures, failing_since)


def unknown(now: datetime) -> Standing:
    """Return how a cluster stands of which nothing is known yet."""
    return Standing(State.UNREACHABLE, now, CONNECTING, "What is in it has not been seen yet.")
