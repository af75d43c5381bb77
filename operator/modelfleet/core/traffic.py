"""Traffic: how many canary pods a share of the requests takes, and what share some pods get.

Stable never shrinks for a canary, so pods are added. With 4 replicas:

    asked   canary pods   share of the pods   canary pods behind a Gateway
     10 %             1                20 %                              1
     25 %             2                33 %                              1
     50 %             4                50 %                              2
    100 %             -                   -                              4

A Gateway gives each revision its share, whatever the number of pods, so only their work has to be done.
"""

from __future__ import annotations

LIMIT = 2
"""A canary that would take more than so many times the share that was asked for is refused."""


def canary_pods(stable: int, percent: int, *, has_gateway: bool = False) -> int:
    """Return how many pods beside ``stable`` ones get at least that share of the requests.

    Without a Gateway ``percent`` is 50 at most, which the CRD sees to.
    """
    return max(1, -(-stable * percent // (100 if has_gateway else 100 - min(percent, 50))))


def weight(percent: int, *, stable_answers: bool, canary_answers: bool) -> int:
    """Return the share that a Gateway is to give the canary: what is asked for, where both can answer."""
    if not canary_answers:
        return 0
    return percent if stable_answers else 100


def share(canary: int, stable: int) -> int:
    """Return which percentage ``canary`` is of both together, rounded; 0 where there is nothing."""
    whole = canary + stable
    return round(100 * canary / whole) if whole else 0


def is_honest(stable: int, percent: int) -> bool:
    """Return whether the pods that there can be come near enough to the share that was asked for."""
    pods = canary_pods(stable, percent)
    return 100 * pods <= LIMIT * percent * (stable + pods)


def stable_needed(percent: int) -> int:
    """Return the fewest stable pods beside which such a canary is honest."""
    return next(stable for stable in range(1, 101) if is_honest(stable, percent))
