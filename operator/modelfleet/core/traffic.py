"""Traffic: how many canary pods a share of the requests takes, and what share some pods get.

Stable never shrinks for a canary, so pods are added. With 4 replicas:

    asked   canary pods   share of the pods
     10 %             1                20 %
     25 %             2                33 %
     50 %             4                50 %
"""

from __future__ import annotations

LIMIT = 2
"""A canary that would take more than so many times the share that was asked for is refused."""


def canary_pods(stable: int, percent: int) -> int:
    """Return how many pods beside ``stable`` ones get at least that share of the requests; ``percent`` <= 50."""
    return max(1, -(-stable * percent // (100 - percent)))


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
