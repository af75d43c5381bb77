"""A ModelDeployment in each phase of a rollout, as the pretended cluster comes to it, and how tools read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from modelfleet.core.api import parse
from modelfleet.core.children import obstacle
from modelfleet.core.conditions import timestamp
from modelfleet.core.diagnosis import Cause
from modelfleet.core.observed import Observed
from modelfleet.core.registered import Resolved
from modelfleet.core.status import status_of
from tests.support.modeldeployments import Manifest, model_deployment
from tests.support.objects import reported, stored_owner
from tests.support.pretend_cluster import START, PretendCluster, cluster

CANARY: dict[str, Any] = {"steps": [20, 50], "pause": "5m"}
ANALYSIS = {"maxErrorRate": "1%", "minRequests": 200}
DEADLINE: dict[str, Any] = {"progressDeadline": "10m"}
FREEZE = {"from": timestamp(START), "to": timestamp(START + timedelta(hours=8))}
WORKSPACE = {"subscriptionId": "s", "resourceGroup": "g", "name": "w"}


def first_install() -> PretendCluster:
    c = PretendCluster(stored_owner(model_deployment(replicas=4, rollout={"canary": CANARY})))
    c.run()
    return c


def serving() -> PretendCluster:
    return cluster(canary=CANARY)


def scaled_to_zero() -> PretendCluster:
    c = cluster(canary=CANARY)
    c.write(replicas=0)
    c.run(120)
    return c


def rolling(*, starts: bool = True, seconds: float = 5) -> PretendCluster:
    """Without spec.rollout."""
    c = cluster()
    c.behave("2", starts=starts)
    c.write("2")
    c.run(seconds)
    return c


def canary(seconds: float, **rollout: Any) -> PretendCluster:
    c = cluster(canary=CANARY, **{**DEADLINE, **rollout})
    c.write("2")
    c.run(seconds)
    return c


def paused_at_a_step() -> PretendCluster:
    c = canary(60)
    c.write(rollout={"canary": CANARY, "paused": True})
    c.run(600)
    return c


def paused_without_steps() -> PretendCluster:
    """They were taken away while the canary ran."""
    c = canary(60)
    c.write(rollout={"paused": True})
    c.run(60)
    return c


def paused_at_no_replicas() -> PretendCluster:
    c = cluster(canary=CANARY, paused=True)
    c.write("2", replicas=0)
    c.run(60)
    return c


def paused_while_nothing_answers() -> PretendCluster:
    c = cluster(canary=CANARY, paused=True)
    c.write("2")
    c.run()
    for pod in c.controller.pods:
        pod.ready_at = None
    c.run(60)
    return c


def inconclusive(seconds: float) -> PretendCluster:
    c = cluster(canary=CANARY, analysis=ANALYSIS, **DEADLINE)
    c.requests_per_s = 0
    c.write("2")
    c.run(360 + seconds)
    return c


def promoting() -> PretendCluster:
    c = cluster(bake="15m", **DEADLINE)
    c.write("2")
    c.run(5)
    return c


def baking(*, trouble: bool = False) -> PretendCluster:
    c = cluster(bake="15m", **DEADLINE)
    c.write("2")
    c.run_until(lambda: c.phase == "Baking")
    if trouble:
        c.break_pod()
    c.run(60)
    return c


def worse(*, policy: str) -> PretendCluster:
    c = cluster(canary=CANARY, analysis=ANALYSIS, onFailure=policy, **DEADLINE)
    c.behave("2", error_rate=0.5)
    c.write("2")
    c.run(400)
    return c


def going_back() -> PretendCluster:
    """From the middle of a promotion, so that pods have to come back."""
    c = promoting()
    c.run_until(lambda: c.stable["status"].get("updatedReplicas", 0) >= 2)
    c.command("abort", c.target)
    c.run(3)
    return c


def stuck_on_the_way_back() -> PretendCluster:
    c = going_back()
    c.controller.behaviour(c.status["rollout"]["previous"]).starts = False
    for pod in c.controller.pods:
        pod.ready_at = None
    c.run(1200)
    return c


def too_coarse() -> PretendCluster:
    c = cluster(replicas=1, canary=CANARY)
    c.write("2")
    c.run(60)
    return c


def waiting_for_approval() -> PretendCluster:
    c = cluster(canary={**CANARY, "approval": True})
    c.write("2")
    c.run(900)
    return c


def pod_that_cannot_serve(**rollout: Any) -> PretendCluster:
    c = cluster(**rollout)
    c.behave("2", starts=False, ended=reported("ModelInvalid", "It is none."))
    c.write("2")
    c.run(60)
    return c


def capacity_lost() -> PretendCluster:
    c = serving()
    for pod in c.controller.pods:
        pod.ready_at = None
    c.run(60)
    return c


def pod_lost() -> PretendCluster:
    """The rest serves, and what is wrong with it is known."""
    c = serving()
    c.break_pod().ended = reported("OutOfMemory", "It was too large.")
    c.run(60)
    return c


def problem(cause: Cause) -> PretendCluster:
    """What keeps the objects from being applied, while pods serve; nothing is decided then."""
    c = serving()
    c.write("2")
    return _told(c, Resolved(c.owner), cause)


def credentials_missing() -> PretendCluster:
    c = serving()
    c.body["spec"]["model"]["credentials"] = {"secretName": "storage"}
    c.body["metadata"]["generation"] += 1
    cause = obstacle(c.owner, Observed(credentials={"storage": None}))
    assert cause
    return _told(c, Resolved(c.owner), cause)


def azure_silent(cause: Cause) -> PretendCluster:
    """Nobody knows what to serve."""
    body = model_deployment(model={"workspace": WORKSPACE})
    del body["spec"]["model"]["uri"]
    c = PretendCluster(stored_owner(body))
    return _told(c, Resolved(c.owner, problem=cause), cause)


def azure_silent_while_it_serves() -> PretendCluster:
    """What was told before is served; that a newer version cannot be asked for is no trouble of Ready's."""
    c = serving()
    owner = replace(c.owner, spec=replace(c.owner.spec, models=tuple(_registered(c))))
    resolved = Resolved(owner, trouble=Cause("AzureUnreachable", "No connection."))
    c.body["status"] = status_of(resolved, c.observed, None, c.now, c.decisions[-1])
    return c


def never_observed() -> PretendCluster:
    return PretendCluster(stored_owner(model_deployment(replicas=4)))


def edited_just_now() -> PretendCluster:
    c = serving()
    c.write("2")
    return c


def rolled_back_and_edited_just_now() -> PretendCluster:
    c = worse(policy="Rollback")
    c.write("3")
    return c


def being_deleted() -> PretendCluster:
    c = serving()
    c.body["metadata"]["deletionTimestamp"] = timestamp(c.now)
    return c


def _told(c: PretendCluster, resolved: Resolved, cause: Cause) -> PretendCluster:
    c.body["status"] = json.loads(json.dumps(status_of(resolved, c.observed, cause, c.now)))
    return c


def _registered(c: PretendCluster) -> list[Any]:
    spec = parse({**c.body, "spec": {**c.body["spec"], "model": {"name": "claims", "workspace": WORKSPACE}}}).spec
    return [replace(model, workspace=spec.models[0].workspace) for model in c.owner.spec.models]


@dataclass(frozen=True)
class Scene:
    """How to come there; the reason of Ready there, what kstatus makes of it, and what Argo CD."""

    build: Callable[[], PretendCluster]
    reason: str
    kstatus: str
    argocd: str

    @property
    def body(self) -> Manifest:
        return self.build().body


PROGRESS, SUSPENDED = ("InProgress", "Progressing"), ("InProgress", "Suspended")
FAILED, TROUBLE, WELL = ("Failed", "Degraded"), ("InProgress", "Degraded"), ("Current", "Healthy")

SCENES = {
    "never observed": Scene(never_observed, "", *PROGRESS),
    "first install": Scene(first_install, "RollingOut", *PROGRESS),
    "all is well": Scene(serving, "Serving", *WELL),
    "scaled to zero": Scene(scaled_to_zero, "ScaledToZero", *WELL),
    "edited just now": Scene(edited_just_now, "Serving", *PROGRESS),
    "rolled back, and edited just now": Scene(rolled_back_and_edited_just_now, "RolledBack", *PROGRESS),
    "rolling": Scene(rolling, "RollingOut", *PROGRESS),
    "rolling, and stuck": Scene(lambda: rolling(starts=False, seconds=900), "ProgressDeadlineExceeded", *FAILED),
    "a canary starts": Scene(lambda: canary(0), "CanaryStarting", *PROGRESS),
    "a canary runs": Scene(lambda: canary(60), "CanaryRunning", *PROGRESS),
    "a canary's second step runs": Scene(lambda: canary(400), "CanaryRunning", *PROGRESS),
    "paused before it begins": Scene(lambda: canary(60, paused=True), "Paused", *SUSPENDED),
    "paused at a step": Scene(paused_at_a_step, "Paused", *SUSPENDED),
    "paused without steps": Scene(paused_without_steps, "Paused", *SUSPENDED),
    "paused at no replicas": Scene(paused_at_no_replicas, "Paused", *SUSPENDED),
    "paused while nothing answers": Scene(paused_while_nothing_answers, "Paused", *TROUBLE),
    "a step to be approved": Scene(waiting_for_approval, "ApprovalNeeded", *SUSPENDED),
    "frozen": Scene(lambda: canary(60, freeze=[FREEZE]), "Frozen", *SUSPENDED),
    "inconclusive": Scene(lambda: inconclusive(0), "AnalysisInconclusive", *PROGRESS),
    "inconclusive for too long": Scene(lambda: inconclusive(900), "AnalysisInconclusive", *FAILED),
    "promoting": Scene(promoting, "RollingOut", *PROGRESS),
    "baking": Scene(baking, "Baking", *PROGRESS),
    "baking, with a pod missing": Scene(lambda: baking(trouble=True), "Baking", *PROGRESS),
    "held by onFailure: Pause": Scene(lambda: worse(policy="Pause"), "RolloutFailed", *FAILED),
    "going back": Scene(going_back, "RollingBack", *PROGRESS),
    "stuck on the way back": Scene(stuck_on_the_way_back, "RolledBack", *FAILED),
    "rolled back": Scene(lambda: worse(policy="Rollback"), "RolledBack", *FAILED),
    "succeeded": Scene(lambda: canary(1200), "Serving", *WELL),
    "a canary too coarse": Scene(too_coarse, "CanaryTooCoarse", *FAILED),
    "a model that is none": Scene(pod_that_cannot_serve, "ModelInvalid", *FAILED),
    "a canary of a model that is none": Scene(lambda: pod_that_cannot_serve(canary=CANARY), "RolledBack", *FAILED),
    "capacity lost": Scene(capacity_lost, "Scaling", *TROUBLE),
    "a pod lost": Scene(pod_lost, "OutOfMemory", *TROUBLE),
    "refused by the API server": Scene(
        lambda: problem(Cause("Invalid", "It is refused.", stalled=True)), "Invalid", *FAILED
    ),
    "an error that passes": Scene(
        lambda: problem(Cause("ApplyFailed", "Trying again.")), "ApplyFailed", *PROGRESS
    ),
    "credentials missing": Scene(credentials_missing, "CredentialsMissing", *PROGRESS),
    "Azure is being asked": Scene(lambda: azure_silent(Cause("Resolving", "Asking.")), "Resolving", *PROGRESS),
    "Azure cannot be reached": Scene(
        lambda: azure_silent(Cause("AzureUnreachable", "No connection.")), "AzureUnreachable", *PROGRESS
    ),
    "Azure grants no access": Scene(
        lambda: azure_silent(Cause("AzureAccessDenied", "403.", stalled=True)), "AzureAccessDenied", *FAILED
    ),
    "Azure is silent while it serves": Scene(azure_silent_while_it_serves, "Serving", *WELL),
    "being deleted": Scene(being_deleted, "Serving", "Terminating", "Progressing"),
}
