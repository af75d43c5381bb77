"""A pretended Gateway: some time after a route has changed, it says that it has taken it, or why not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Manifest = dict[str, Any]


@dataclass
class PretendGateway:
    """The controller of a Gateway; ``refusal`` is the reason why it takes no route, if so."""

    takes: timedelta = timedelta(seconds=2)
    refusal: str = ""
    is_away: bool = False
    seen: int = 0
    seen_at: datetime | None = None

    def work(self, route: Manifest | None, now: datetime) -> bool:
        """Do what is to be done now; tell whether anything has changed that a watch would tell."""
        if route is None or self.is_away:
            return False
        generation = route["metadata"]["generation"]
        if generation != self.seen:
            self.seen, self.seen_at = generation, now
        status = {"parents": [{"controllerName": "pretended", "conditions": self._conditions(generation)}]}
        if route.get("status") == status or (self.seen_at and now < self.seen_at + self.takes):
            return False
        route["status"] = status
        return True

    def next_moment(self) -> datetime | None:
        """When something will happen next without anybody's doing."""
        return self.seen_at + self.takes if self.seen_at else None

    def _conditions(self, generation: int) -> list[Manifest]:
        accepted = "False" if self.refusal else "True"
        return [
            {
                "type": kind,
                "status": accepted if kind == "Accepted" else "True",
                "reason": self.refusal or "Accepted",
                "message": "No listener takes it." if self.refusal else "",
                "observedGeneration": generation,
            }
            for kind in ("Accepted", "ResolvedRefs")
        ]
