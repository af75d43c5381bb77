"""A decision on a rollout, and what it is made from: plain data, for the state machine in ``region``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from modelfleet.core.commands import Commands
from modelfleet.core.counters import Counters
from modelfleet.core.diagnosis import Cause
from modelfleet.core.observed import Deployment
from modelfleet.core.rollout import Failure, Rollout

NO_COMMANDS = Commands({}, {})
ROLLED_BACK = "RolledBack"
SUPERSEDED = "Superseded"


@dataclass(frozen=True, slots=True)
class Counts:
    """What the pods of both tracks have counted, by their uids; None where that could not be read."""

    stable: Mapping[str, Counters] | None = None
    canary: Mapping[str, Counters] | None = None

    @property
    def known(self) -> bool:
        """Return whether both could be read."""
        return self.stable is not None and self.canary is not None


@dataclass(frozen=True, slots=True)
class Route:
    """What a Gateway does: the canary's share in percent, None while it changes; and what is wrong, if known."""

    weight: int | None
    problem: Cause | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a rollout waits for; ``stalled`` when nothing but a person ends it."""

    reason: str
    message: str
    until: datetime | None = None
    stalled: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a region. ``target`` is the revision that the spec asks for, ``label`` what it serves.

    ``replicas`` is how many stable pods there are to be, ``cause`` what keeps pods of the target from serving,
    ``good`` the revisions that have succeeded before, ``served`` the stable one when the status was written,
    ``rejected`` why the target is not tried again, ``route`` is None where no Gateway is asked for, ``obstacle``
    what keeps a canary from being started. Other regions may have to go first, which is the ``gate``; or one of
    them has failed, for which this one goes back as well: the ``recall``.
    """

    target: str
    label: str
    replicas: int
    stable: Deployment | None
    canary: Deployment | None = None
    route: Route | None = None
    cause: Cause | None = None
    obstacle: Cause | None = None
    counts: Counts = Counts()
    good: frozenset[str] = frozenset()
    served: str = ""
    rejected: Failure | None = None
    commands: Commands = NO_COMMANDS
    rollout: Rollout | None = None
    gate: Waiting | None = None
    recall: Failure | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a rollout ended, for the history."""

    rollout: Rollout
    result: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The revisions to run now, and what to remember.

    ``stable`` is the revision of the stable pods, empty for none at all, and ``previous`` the one that has to stay
    at hand for them; ``canary`` is the number of canary pods of the target, None for no canary, and ``weight`` the
    percentage of the requests that a Gateway, if there is one, is to give them. ``look_again`` is when to decide
    anew although nothing may have happened.
    """

    stable: str
    previous: str = ""
    canary: int | None = None
    rollout: Rollout | None = None
    waiting: Waiting | None = None
    ended: Ended | None = None
    look_again: datetime | None = None
    weight: int = 0
