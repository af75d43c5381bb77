"""How often and how patiently member clusters are asked."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds; `patience` is how many probes in a row may fail. Pairs are the first and longest pause.

    `settling_s` is how long members that were described from the beginning may be waited for.
    """

    reading_s: float = 15.0
    probe_s: float = 10.0
    answer_s: float = 5.0
    listing_s: float = 30.0
    settling_s: float = 10.0
    patience: int = 3
    unreachable_s: tuple[float, float] = (5.0, 60.0)
    joining_s: tuple[float, float] = (5.0, 320.0)


PACE = Pace()


class Backoff:
    """Pauses that become longer until they are reset."""

    def __init__(self, shortest_s: float, longest_s: float) -> None:
        self._shortest_s = shortest_s
        self._longest_s = longest_s
        self._tries = 0

    def next_s(self) -> float:
        """Return the pause before the next try."""
        pause_s = min(self._longest_s, self._shortest_s * 2.0 ** min(self._tries, 16))
        self._tries += 1
        return jittered(pause_s)

    def reset(self) -> None:
        """Begin again with the shortest."""
        self._tries = 0


def jittered(seconds: float) -> float:
    """Return about as many seconds: what was asked together is not asked together again."""
    return seconds * random.uniform(0.75, 1.25)  # noqa: S311  jitter, not a secret
