"""What a rollout fails by and waits for, in words for the person on call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from modelfleet.core import traffic
from modelfleet.core.analysis import Judgement
from modelfleet.core.conditions import timestamp
from modelfleet.core.decision import ROLLED_BACK, SUPERSEDED, Ended, Waiting
from modelfleet.core.diagnosis import Cause
from modelfleet.core.observed import Deployment
from modelfleet.core.policy import Policy
from modelfleet.core.rollout import Failure, Rollout


def hold(policy: Policy, now: datetime) -> Waiting | None:
    """Return why nothing may begin now, if so."""
    if policy.paused:
        return Waiting("Paused", "The rollout is paused; set spec.rollout.paused to false to go on.")
    if freeze := policy.frozen(now):
        why = f" ({freeze.reason})" if freeze.reason else ""
        return Waiting("Frozen", f"Rollouts are frozen until {timestamp(freeze.end)}{why}.", freeze.end)
    return None


def approval(label: str) -> Waiting:
    """Return the wait for a person who lets a step go on that is over."""
    return Waiting("ApprovalNeeded", f"{label} has passed, and waits for a person to approve it.")


def wave_approval(name: str, regions: Sequence[str]) -> Waiting:
    """Return the wait for a person who lets a wave begin."""
    message = f"The wave {name} ({', '.join(regions)}) is next, and waits for a person to approve it."
    return Waiting("ApprovalNeeded", message)


def wave(name: str, left: Sequence[str]) -> Waiting:
    """Return the wait for a wave that goes first."""
    return Waiting("WaveWaiting", f"The wave {name} goes first: {', '.join(left)} of it not done yet.")


def unreachable(name: str, regions: Sequence[str]) -> Waiting:
    """Return the wait for regions whose clusters do not answer."""
    message = (
        f"The wave {name} waits for {', '.join(regions)}, which cannot be reached; to go on without, write "
        "spec.rollout.unreachable: Skip."
    )
    return Waiting("RegionUnreachable", message)


def settling(name: str, until: datetime) -> Waiting:
    """Return the wait for a cluster that answers again to be over what it missed."""
    message = (
        f"The cluster of {name} answers again; nothing begins there before {timestamp(until)}, so that its nodes "
        "have heard of what they missed."
    )
    return Waiting("RegionSettling", message, until)


def region_failed(name: str, failure: Failure) -> Waiting:
    """Return why no region begins any more, after one has gone back."""
    message = f"The revision failed in {name} and is not tried in other regions: {failure.message}"
    return Waiting(ROLLED_BACK, message, stalled=True)


def back_in(left: Sequence[str], name: str, failure: Failure) -> Waiting:
    """Return the wait for regions that go back after a failure in one of them."""
    message = f"The revision failed in {name}, and {', '.join(left)} still on the way back: {failure.message}"
    return Waiting("RollingBack", message)


def inconclusive(label: str, judgement: Judgement, now: datetime, deadline: datetime) -> Waiting:
    """Return the wait for more to judge by; after the deadline, that of a person who decides."""
    message, is_over = f"{label}: the analysis cannot decide. {judgement.message}", now >= deadline
    return Waiting("AnalysisInconclusive", message, None if is_over else deadline, stalled=is_over)


def blocked(obstacle: Cause, again: datetime) -> Waiting:
    """Return the wait for what a canary cannot do without."""
    return Waiting(obstacle.reason, obstacle.message, again)


def failure(cause: Cause) -> Failure:
    """Return what keeps the pods from serving, as a failure."""
    return Failure(cause.reason, cause.message)


def late(subject: str) -> Failure:
    """Return the failure of pods that took too long."""
    message = f"{subject} did not become ready within spec.rollout.progressDeadline."
    return Failure("ProgressDeadlineExceeded", message)


def rejected(revision: str, failure: Failure | None, live: Deployment) -> Waiting:
    """Return the wait of a person for whom a revision went back."""
    told = failure.message if failure else ""
    message = (
        f"Revision {revision} was rolled back and is not tried again: {told} Revision {live.revision} is back."
    )
    return Waiting(ROLLED_BACK, message, stalled=True)


def went_back(rollout: Rollout) -> Ended:
    """Return how a rollout ended that went back."""
    return Ended(rollout, ROLLED_BACK if rollout.failure else SUPERSEDED)


def going_back(rollout: Rollout) -> str:
    """Return what is going on, and why."""
    told = f": {rollout.failure.message}" if rollout.failure else "."
    return f"Going back from revision {rollout.revision} to {rollout.previous}{told}"


def too_coarse(replicas: int, percent: int) -> Waiting:
    """Return the refusal of a canary that would take far more than was asked for."""
    took = traffic.share(traffic.canary_pods(replicas, percent), replicas)
    pods = "1 replica" if replicas == 1 else f"{replicas} replicas"
    message = (
        f"A canary of {percent} % is not possible beside {pods}: its only pod would take {took} %. Write at least "
        f"{traffic.stable_needed(percent)} replicas, a larger step, or leave canary out."
    )
    return Waiting("CanaryTooCoarse", message, stalled=True)


def judged(judgement: Judgement) -> Failure:
    """Return a judgement as a failure."""
    return Failure(judgement.reason, judgement.message)
