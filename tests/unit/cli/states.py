"""ModelDeployments in each state that a person may meet, as the API server has them."""

import copy
from datetime import UTC, datetime
from typing import Any

NOW = datetime(2025, 11, 22, 13, 0, tzinfo=UTC)
OLD, NEW = "3fa1c2d4e5", "9b0c1d2e3f"
SERVING = "claims version 1 is served by 4 pods at http://claims.ml.svc."
STAYS = "The pods that are ready go on serving."
TOO_MANY_ERRORS = "Of the canary's 480 requests 4.2 % failed, of the stable pods' 1,920 0.1 %; at most 1 % may."
TOO_FEW = "The canary has answered 31 of the 200 requests that are needed."
FIRST: dict[str, Any] = {
    "revision": OLD,
    "models": "claims version 1",
    "result": "Succeeded",
    "finishedAt": "2025-11-20T09:30:00Z",
}
ROLLED_BACK: dict[str, Any] = {
    "revision": NEW,
    "models": "claims version 2",
    "result": "RolledBack",
    "startedAt": "2025-11-22T12:40:00Z",
    "finishedAt": "2025-11-22T12:47:30Z",
    "reason": "ErrorRate",
    "message": TOO_MANY_ERRORS,
}
REJECTED: dict[str, Any] = {
    "revision": NEW,
    "models": "claims version 2",
    "reason": "ErrorRate",
    "message": TOO_MANY_ERRORS,
    "at": "2025-11-22T12:46:00Z",
}
POLICY: dict[str, Any] = {"canary": {"steps": [20, 50], "pause": "5m"}, "bake": "15m"}


def claims(
    phase: str, reason: str, message: str, *, version: str = "2", revision: str = NEW, **changes: Any
) -> dict[str, Any]:
    """The ModelDeployment claims in namespace ml, with a policy; further fields of the status by keyword."""
    ready = {
        "type": "Ready",
        "status": str(phase == "Healthy"),
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2025-11-22T12:56:30Z",
    }
    status = {
        "observedGeneration": 2,
        "phase": phase,
        "progress": "4/4 ready",
        "message": message,
        "revision": revision,
        "stableRevision": OLD,
        "endpoint": "http://claims.ml.svc",
        "models": [{"name": "claims", "version": version}],
        "replicas": 4,
        "readyReplicas": 4,
        "history": [FIRST],
        "conditions": [ready],
        **changes,
    }
    metadata = {"name": "claims", "namespace": "ml", "generation": 2}
    return {"metadata": metadata, "spec": {"replicas": 4, "rollout": dict(POLICY)}, "status": status}


def rollout(phase: str = "Canary", **changes: Any) -> dict[str, Any]:
    """What the status tells of the rollout of version 2; further fields by keyword."""
    entry = {
        "revision": NEW,
        "models": "claims version 2",
        "previous": OLD,
        "phase": phase,
        "step": 1,
        "steps": 2,
        "startedAt": "2025-11-22T12:56:30Z",
        "since": "2025-11-22T12:56:30Z",
        **changes,
    }
    return {name: value for name, value in entry.items() if value is not None}


def waiting(reason: str, verb: str = "", until: str = "") -> dict[str, Any]:
    """What is waited for."""
    command = f"modelfleet {verb}" if verb else "kubectl describe modeldeployment"
    return {"reason": reason, "hint": f"{command} claims -n ml"} | ({"until": until} if until else {})


def annotated(body: dict[str, Any], **verbs: str) -> dict[str, Any]:
    """The same with commands on it."""
    annotations = {f"modelfleet.dev/{verb}": value for verb, value in verbs.items()}
    return {**body, "metadata": {**body["metadata"], "annotations": annotations}}


def _canary(ready: int = 1, **shares: int) -> dict[str, int]:
    return {"replicas": 1, "readyReplicas": ready, "desiredPercent": 20, "podPercent": 20, **shares}


ENDS = "2025-11-22T13:02:00Z"
_STEP = "Canary of claims version 2, step 1 of 2 (20 %)"
_SECOND = "Canary of claims version 2, step 2 of 2 (50 %)"
HEALTHY = claims("Healthy", "Serving", SERVING, version="1", revision=OLD)
NEVER_SEEN = {**HEALTHY, "status": {"observedGeneration": -1}}
STARTING = claims(
    "Progressing",
    "CanaryStarting",
    f"{_STEP}: its pods are not ready yet. {STAYS}",
    progress="canary 1/2",
    rollout=rollout(canary=_canary(ready=0)),
    waitingFor=waiting("CanaryStarting", until="2025-11-22T13:11:30Z"),
)
RUNNING = claims(
    "Progressing",
    "CanaryRunning",
    f"{_STEP} until {ENDS}. {STAYS}",
    progress="canary 1/2",
    rollout=rollout(canary=_canary(), readySince="2025-11-22T12:57:00Z"),
    waitingFor=waiting("CanaryRunning", "promote", ENDS),
)
UNAPPROVED = copy.deepcopy(
    claims(
        "Waiting",
        "ApprovalNeeded",
        f"{_STEP} has passed, and waits for a person to approve it. {STAYS}",
        progress="canary 1/2",
        rollout=rollout(canary=_canary(), readySince="2025-11-22T12:50:00Z"),
        waitingFor=waiting("ApprovalNeeded", "approve"),
    )
)
UNAPPROVED["spec"]["rollout"]["canary"]["approval"] = True
INCONCLUSIVE = claims(
    "Waiting",
    "AnalysisInconclusive",
    f"{_SECOND}: the analysis cannot decide. {TOO_FEW} {STAYS}",
    progress="canary 2/2",
    rollout=rollout(
        step=2,
        canary={"replicas": 4, "readyReplicas": 4, "desiredPercent": 50, "podPercent": 50, "requestPercent": 18},
        since="2025-11-22T12:50:00Z",
        startedAt="2025-11-22T12:44:00Z",
        readySince="2025-11-22T12:50:40Z",
        analysis={
            "outcome": "Inconclusive",
            "reason": "TooFewRequests",
            "message": TOO_FEW,
            "checkedAt": "2025-11-22T12:55:40Z",
            "baseline": [{"pod": "u1", "requests": 9, "errors": 0, "slow": 0}],
        },
    ),
    waitingFor=waiting("AnalysisInconclusive", "promote", "2025-11-22T13:10:40Z"),
)
PROMOTING = claims(
    "Progressing",
    "RollingOut",
    f"1 of 4 pods of revision {NEW} are ready. {STAYS}",
    progress="1/4 ready",
    stableRevision=NEW,
    rollout=rollout("Promoting", canary={"replicas": 4, "readyReplicas": 4}),
    waitingFor={
        "reason": "RollingOut",
        "hint": "kubectl describe -n ml pods -l modelfleet.dev/deployment=claims",
        "until": "2025-11-22T13:10:00Z",
    },
)
BAKING = claims(
    "Progressing",
    "Baking",
    "All pods serve claims version 2; it counts as good at 2025-11-22T13:08:20Z if they go on so.",
    stableRevision=NEW,
    rollout=rollout("Baking", since="2025-11-22T12:58:20Z", readySince="2025-11-22T12:58:20Z", bakedSeconds=300),
    waitingFor=waiting("Baking", "promote", "2025-11-22T13:08:20Z"),
)
HELD = claims(
    "Degraded",
    "RolloutFailed",
    f"{TOO_MANY_ERRORS} It is held as it is: promote, retry or abort it. {STAYS}",
    rollout=rollout(
        canary=_canary(),
        readySince="2025-11-22T12:57:00Z",
        analysis={
            "outcome": "Fail",
            "reason": "ErrorRate",
            "message": TOO_MANY_ERRORS,
            "checkedAt": "2025-11-22T12:59:15Z",
        },
        failure={"reason": "ErrorRate", "message": TOO_MANY_ERRORS},
    ),
    waitingFor=waiting("RolloutFailed", "promote"),
)
GOING_BACK = claims(
    "RollingBack",
    "RollingBack",
    f"Going back from revision {NEW} to {OLD}: {TOO_MANY_ERRORS} {STAYS}",
    rollout=rollout(
        "RollingBack",
        canary={"replicas": 1, "readyReplicas": 1},
        failure={"reason": "ErrorRate", "message": TOO_MANY_ERRORS},
    ),
    rejected=[REJECTED],
    waitingFor=waiting("RollingBack"),
)
BACK = claims(
    "Degraded",
    "RolledBack",
    f"Revision {NEW} was rolled back and is not tried again: {TOO_MANY_ERRORS} Revision {OLD} is back. {STAYS}",
    history=[ROLLED_BACK, FIRST],
    rejected=[REJECTED],
    waitingFor=waiting("RolledBack", "retry"),
)
PAUSED = claims(
    "Paused",
    "Paused",
    f"The rollout is paused; set spec.rollout.paused to false to go on. {STAYS}",
    waitingFor=waiting("Paused"),
)
PAUSED["spec"]["rollout"]["paused"] = True
FROZEN = claims(
    "Waiting",
    "Frozen",
    f"Rollouts are frozen until 2026-01-07T00:00:00Z (holidays). {STAYS}",
    waitingFor=waiting("Frozen", until="2026-01-07T00:00:00Z"),
)
PLAIN = {**HEALTHY, "spec": {"replicas": 4}}
STALE = {**HEALTHY, "metadata": {**HEALTHY["metadata"], "generation": 3}}
ASKED = annotated(RUNNING, promote=f"{NEW}:1", abort=f"{OLD}:20251101T080000Z")

WEST: dict[str, Any] = {
    "name": "westeurope",
    "cluster": "aks-west",
    "phase": "Healthy",
    "ready": True,
    "revision": NEW,
    "stableRevision": NEW,
    "replicas": 4,
    "readyReplicas": 4,
    "history": [{**FIRST, "revision": NEW, "models": "claims version 2"}, FIRST],
}
NORTH: dict[str, Any] = {
    **WEST,
    "name": "northeurope",
    "cluster": "aks-north",
    "phase": "Waiting",
    "ready": False,
    "stableRevision": OLD,
    "history": [FIRST],
    "waitingFor": {"reason": "ApprovalNeeded", "hint": ""},
}
EAST: dict[str, Any] = {
    **NORTH,
    "name": "eastus",
    "cluster": "aks-east",
    "phase": "Unreachable",
    "unreachableSince": "2025-11-22T12:50:00Z",
    "waitingFor": {},
}
JOURNEY: dict[str, Any] = {
    "revision": NEW,
    "models": "claims version 2",
    "startedAt": "2025-11-22T12:30:00Z",
    "wave": "rest",
    "waves": [
        {"name": "pilot", "regions": ["westeurope"]},
        {"name": "rest", "regions": ["northeurope", "eastus"], "approval": True},
    ],
}
IN_REGIONS = claims(
    "Waiting",
    "ApprovalNeeded",
    "The wave rest (northeurope, eastus) is next, and waits for a person to approve it.",
    progress="1/3 regions",
    stableRevision="",
    rollout=JOURNEY,
    regions=[WEST, NORTH, EAST],
    waitingFor={"reason": "ApprovalNeeded", "hint": "modelfleet approve claims -n ml"},
)
PILOT_UNDER_WAY = claims(
    "Progressing",
    "CanaryRunning",
    "",
    rollout={**JOURNEY, "wave": "pilot"},
    regions=[{**WEST, "ready": False, "stableRevision": OLD, "rollout": rollout()}, NORTH, EAST],
    waitingFor={"reason": "CanaryRunning", "hint": ""},
)
STATES: dict[str, dict[str, Any]] = {
    "healthy": HEALTHY,
    "never seen": NEVER_SEEN,
    "canary starting": STARTING,
    "canary running": RUNNING,
    "canary that cannot be judged": INCONCLUSIVE,
    "promoting": PROMOTING,
    "baking": BAKING,
    "held after a failure": HELD,
    "going back": GOING_BACK,
    "rolled back": BACK,
    "paused": PAUSED,
    "frozen": FROZEN,
    "edited just now": STALE,
    "promotion asked for": ASKED,
    "in regions": IN_REGIONS,
    "in the first region": PILOT_UNDER_WAY,
}
