"""What a ModelDeployment may be found in, and what is then to be said about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from modelfleet.core.api import ModelDeployment
from modelfleet.core.diagnosis import Cause
from modelfleet.core.observed import Observed
from tests.support.modeldeployments import Manifest
from tests.support.objects import (
    FETCHED,
    QUOTA,
    ROLLING,
    TIMED_OUT,
    container,
    deployment,
    ended,
    fetched,
    leaving,
    owner,
    pod,
    ready_pod,
    reported,
    settled,
    waiting,
    world,
)

PROGRESSING, HEALTHY, DEGRADED = "Progressing", "Healthy", "Degraded"

OLD = owner(version="1", replicas=3)
NEW = owner(version="2", replicas=3, generation=2)
IDLE = owner(replicas=0)

MISSING = [container("fetch", ended(1, reported("ModelNotFound", "The model does not exist.")))]
MISMATCH = [container("fetch", ended(1, reported("ChecksumMismatch", "The sha256 is another.")))]
OOM = [container("server", waiting("CrashLoopBackOff"), last=ended(137, reason="OOMKilled"))]


def ready_pods(of: ModelDeployment, count: int) -> list[Manifest]:
    return [ready_pod(of, f"claims-{number}", initContainerStatuses=[FETCHED]) for number in range(count)]


@dataclass(frozen=True)
class Situation:
    """One state of the world, and the words for it. `says` is the message, or the beginning and end of it."""

    observed: Observed
    reason: str
    phase: str
    says: tuple[str, str] = ("", ".")
    ready: bool = False
    available: bool = False
    stalled: bool = False
    owner: ModelDeployment = NEW
    problem: Cause | None = None


SERVES_ON = "The pods that are ready go on serving."

SITUATIONS = {
    "nothing exists yet": Situation(
        Observed(), "Creating", PROGRESSING, ("Creating the objects of claims version 2.", "")
    ),
    "the previous revision is still applied": Situation(
        world(NEW, settled(OLD)), "RollingOut", PROGRESSING, ("Starting revision ", "."), available=True
    ),
    "just created": Situation(
        world(NEW, deployment(NEW)), "RollingOut", PROGRESSING, ("0 of 3 pods of revision", ".")
    ),
    "the first pods start": Situation(
        world(NEW, deployment(NEW, updated=3, available=1, conditions=[ROLLING]), [*ready_pods(NEW, 1), pod(NEW)]),
        "RollingOut",
        PROGRESSING,
        ("1 of 3 pods of revision", "are ready."),
        available=True,
    ),
    "all pods are ready but not for long enough": Situation(
        world(NEW, deployment(NEW, updated=3, conditions=[ROLLING]), ready_pods(NEW, 3)),
        "RollingOut",
        PROGRESSING,
        ("Enough pods of revision", "the others to leave."),
    ),
    "older pods are still there": Situation(
        world(NEW, deployment(NEW, updated=3, available=4, total=4, conditions=[ROLLING]), ready_pods(NEW, 3)),
        "RollingOut",
        PROGRESSING,
        ("Enough pods of revision", "the others to leave."),
        available=True,
    ),
    "all pods serve": Situation(
        world(NEW, settled(NEW), ready_pods(NEW, 3)),
        "Serving",
        HEALTHY,
        ("claims version 2 is served by 3 pods at http://claims.ml.svc.", ""),
        ready=True,
        available=True,
    ),
    "one pod serves": Situation(
        world(owner(), settled(owner()), ready_pods(owner(), 1)),
        "Serving",
        HEALTHY,
        ("claims version 1 is served by 1 pod at", "."),
        ready=True,
        available=True,
        owner=owner(),
    ),
    "an autoscaler asks for more than the spec": Situation(
        world(NEW, settled(NEW, replicas=5, updated=5, available=5), ready_pods(NEW, 5)),
        "Serving",
        HEALTHY,
        ("claims version 2 is served by 5 pods", "."),
        ready=True,
        available=True,
    ),
    "pods have fetched different files": Situation(
        world(
            NEW,
            settled(NEW),
            [*ready_pods(NEW, 2), ready_pod(NEW, "claims-9", initContainerStatuses=[fetched("cd" * 32)])],
        ),
        "ModelDiffers",
        DEGRADED,
        ("Pods serve different files as claims version 2: those at https://", SERVES_ON),
        available=True,
        stalled=True,
    ),
    "scaled to zero": Situation(
        world(IDLE, settled(IDLE)),
        "ScaledToZero",
        HEALTHY,
        ("No pods are asked for", "."),
        ready=True,
        owner=IDLE,
    ),
    "scaled up after it was complete": Situation(
        world(NEW, settled(NEW, updated=3, available=1), [*ready_pods(NEW, 1), pod(NEW, "claims-8")]),
        "Scaling",
        PROGRESSING,
        ("1 of 3 pods of revision", "are ready."),
        available=True,
    ),
    "scaled down, and the pods are still leaving": Situation(
        world(NEW, settled(NEW, updated=5, available=5), ready_pods(NEW, 5)),
        "Scaling",
        PROGRESSING,
        ("Enough pods of revision", "the others to leave."),
        available=True,
    ),
    "a new spec that the Deployment controller has not looked at, after a failure": Situation(
        world(
            NEW, deployment(NEW, available=3, generation=2, observed_generation=1, conditions=[TIMED_OUT, QUOTA])
        ),
        "RollingOut",
        PROGRESSING,
        ("0 of 3 pods of revision", "are ready."),
        available=True,
    ),
    "a new spec that the Deployment controller has not looked at, after a success": Situation(
        world(NEW, settled(NEW, generation=2, observed_generation=1)),
        "RollingOut",
        PROGRESSING,
        ("0 of 3 pods of revision", "are ready."),
        available=True,
    ),
    "the old pods serve while a new one fails": Situation(
        world(
            NEW,
            deployment(NEW, updated=1, available=3, total=4, conditions=[ROLLING]),
            [*ready_pods(OLD, 3), pod(NEW, initContainerStatuses=MISSING)],
        ),
        "ModelNotFound",
        PROGRESSING,
        ("The model does not exist.", SERVES_ON),
        available=True,
    ),
    "an old pod fails while new ones come": Situation(
        world(
            NEW,
            deployment(NEW, updated=1, available=3, total=4, conditions=[ROLLING]),
            [*ready_pods(OLD, 2), pod(OLD, containerStatuses=OOM), pod(NEW, "claims-8")],
        ),
        "RollingOut",
        PROGRESSING,
        ("0 of 3 pods of revision", "are ready."),
        available=True,
    ),
    "the first pod fails, and may still come": Situation(
        world(NEW, deployment(NEW, updated=3, conditions=[ROLLING]), [pod(NEW, initContainerStatuses=MISSING)]),
        "ModelNotFound",
        PROGRESSING,
        ("The model does not exist.", ""),
    ),
    "a pod fails for good": Situation(
        world(NEW, deployment(NEW, updated=3, conditions=[ROLLING]), [pod(NEW, initContainerStatuses=MISMATCH)]),
        "ChecksumMismatch",
        DEGRADED,
        ("The sha256 is another.", ""),
        stalled=True,
    ),
    "the deadline has passed and the cause is known": Situation(
        world(NEW, deployment(NEW, updated=1, conditions=[TIMED_OUT]), [pod(NEW, containerStatuses=OOM)]),
        "OutOfMemory",
        DEGRADED,
        ("The server container was killed", "spec.resources.limits.memory."),
        stalled=True,
    ),
    "the deadline has passed and nobody knows why": Situation(
        world(NEW, deployment(NEW, updated=1, available=3, total=4, conditions=[TIMED_OUT]), [pod(NEW)]),
        "ProgressDeadlineExceeded",
        DEGRADED,
        ("The rollout makes no progress: 0 of 3 pods of revision", SERVES_ON),
        available=True,
        stalled=True,
    ),
    "a quota refuses the pods": Situation(
        world(NEW, deployment(NEW, conditions=[ROLLING, QUOTA])),
        "PodsRejected",
        PROGRESSING,
        ("The cluster refuses to create pods: pods", "exceeded quota: small."),
    ),
    "a quota refuses the surge of a rollout": Situation(
        world(NEW, deployment(NEW, available=3, total=3, conditions=[ROLLING, QUOTA]), ready_pods(OLD, 3)),
        "PodsRejected",
        PROGRESSING,
        ("The cluster refuses to create pods: pods", f"exceeded quota: small. {SERVES_ON}"),
        available=True,
    ),
    "a pod was lost after it was complete, and the rest serve": Situation(
        world(NEW, settled(NEW, available=2), [*ready_pods(NEW, 2), pod(NEW, containerStatuses=OOM)]),
        "OutOfMemory",
        DEGRADED,
        ("The server container was killed", SERVES_ON),
        available=True,
    ),
    "all pods were lost with their node": Situation(
        world(NEW, settled(NEW, available=0), [leaving(ready_pod(NEW)), pod(NEW)]),
        "Scaling",
        DEGRADED,
        ("0 of 3 pods of revision", "are ready."),
    ),
    "something stands in the way before there is anything": Situation(
        Observed(),
        "NameConflict",
        DEGRADED,
        ("A Service claims is in the way.", ""),
        stalled=True,
        problem=Cause("NameConflict", "A Service claims is in the way.", stalled=True),
    ),
    "something stands in the way of a change, and the pods serve": Situation(
        world(NEW, settled(OLD), ready_pods(OLD, 3)),
        "CredentialsMissing",
        DEGRADED,
        ("There is no Secret.", SERVES_ON),
        available=True,
        stalled=True,
        problem=Cause("CredentialsMissing", "There is no Secret.", stalled=True),
    ),
    "the API server refuses an object in its own words": Situation(
        world(NEW, settled(OLD), ready_pods(OLD, 3)),
        "Invalid",
        DEGRADED,
        ("The cluster refuses an object: spec.port: Invalid value: 0. ", SERVES_ON),
        available=True,
        stalled=True,
        problem=Cause("Invalid", "The cluster refuses an object: spec.port: Invalid value: 0", stalled=True),
    ),
    "an error that passes": Situation(
        Observed(),
        "ApplyFailed",
        PROGRESSING,
        ("Trying again", "."),
        problem=Cause("ApplyFailed", "Trying again after an error: 503."),
    ),
}

in_every_situation: Callable[..., pytest.MarkDecorator] = pytest.mark.parametrize(
    "situation", SITUATIONS.values(), ids=SITUATIONS.keys()
)
