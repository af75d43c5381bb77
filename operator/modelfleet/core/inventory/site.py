"""A member cluster as it is known now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """How a member cluster is."""

    REACHABLE = "Reachable"
    UNREACHABLE = "Unreachable"
    REFUSED = "Refused"
    DETACHED = "Detached"


@dataclass(frozen=True, slots=True)
class Site:
    """A member cluster: `uid` is empty until it is known, `since` is when it came to be as it is.

    Without a region it serves nobody.
    """

    name: str
    region: str
    uid: str
    state: State
    since: datetime
    reason: str = ""
    message: str = ""
