"""A pretended cluster: the operator's own decisions, from facts to status, in pretended time."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from modelfleet.core import names
from modelfleet.core.api import ModelDeployment, parse
from modelfleet.core.children import Defaults, child_key
from modelfleet.core.conditions import find
from modelfleet.core.decision import Counts, Decision, Waiting
from modelfleet.core.facts import facts_of, needs_samples, pods_by_track, samples_missing
from modelfleet.core.manifest import dig
from modelfleet.core.observed import ChildKey, Observed
from modelfleet.core.plan import plan
from modelfleet.core.region import decide
from modelfleet.core.registered import Resolved
from modelfleet.core.revision import revision_of
from modelfleet.core.rollout import Failure
from modelfleet.core.status import status_of
from modelfleet.core.window import wants_counts
from modelfleet.render.renderer import render
from tests.support.modeldeployments import model_deployment
from tests.support.objects import DEFAULTS, stored_owner
from tests.support.pretend_deployments import Behaviour, Controller, Manifest, Pod
from tests.support.pretend_gateway import PretendGateway
from tests.support.pretend_time import Crash, PretendTime
from tests.support.schema import crd_schema, violations

START = datetime(2025, 11, 22, 13, tzinfo=UTC)
STATUS = crd_schema("status")


@dataclass
class PretendCluster(PretendTime):
    """One ModelDeployment named claims, and everything that there is of it."""

    body: Manifest
    now: datetime = START
    defaults: Defaults = DEFAULTS
    requests_per_s: float = 100
    is_measured: bool = True
    has_samples: bool = True
    controller: Controller = field(default_factory=Controller)
    gateway: PretendGateway = field(default_factory=PretendGateway)
    others: dict[ChildKey, Manifest] = field(default_factory=dict)
    look_again: datetime | None = None
    is_news: bool = True
    crash_in: int | None = None
    writes: list[str] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    # What is there

    @property
    def owner(self) -> ModelDeployment:
        return parse(self.body)

    @property
    def status(self) -> Manifest:
        return self.body.get("status") or {}

    @property
    def target(self) -> str:
        """The revision that the spec asks for."""
        return revision_of(self.owner.spec)

    @property
    def stable(self) -> Manifest:
        return self.controller.deployments["claims"]

    @property
    def canary(self) -> Manifest | None:
        return self.controller.deployments.get("claims-canary")

    @property
    def weight(self) -> int:
        """The share that the Gateway is to give the canary."""
        [rule] = self.others["HTTPRoute", "claims"]["spec"]["rules"]
        return {ref["name"]: int(ref["weight"]) for ref in rule["backendRefs"]}["claims-canary"]

    @property
    def canary_pods(self) -> int:
        return self.canary["spec"]["replicas"] if self.canary else 0

    @property
    def stable_revision(self) -> str:
        return str(self.stable["metadata"]["annotations"][names.REVISION])

    @property
    def phase(self) -> str:
        """The phase of the rollout, or nothing."""
        return dig(self.status, "rollout", "phase") or ""

    @property
    def step(self) -> int:
        return dig(self.status, "rollout", "step") or 0

    @property
    def ready(self) -> Manifest:
        return dict(find(self.status["conditions"], "Ready"))

    @property
    def reason(self) -> str:
        return str(self.ready["reason"])

    @property
    def is_stalled(self) -> bool:
        return bool(find(self.status["conditions"], "Stalled"))

    @property
    def results(self) -> list[tuple[str, str]]:
        """The revisions that have ended and how, newest first."""
        return [(entry["revision"], entry["result"]) for entry in self.status.get("history", [])]

    @property
    def rejected(self) -> list[str]:
        return [entry["revision"] for entry in self.status.get("rejected", [])]

    def running(self) -> set[str]:
        """The revisions of which there are pods."""
        return {pod.revision for pod in self.controller.pods if not pod.left_at}

    def pods(self, track: str) -> list[Pod]:
        return self.controller.pods_of("claims" if track == names.STABLE else "claims-canary")

    # What people do

    def write(self, version: str | None = None, **fields: Any) -> str:
        """Change the spec as a user does, and return the revision that it asks for then; None drops a field."""
        spec = copy.deepcopy(self.body["spec"])
        if version:
            spec["model"] |= {
                "version": version,
                "uri": f"https://demo.blob.core.windows.net/models/claims/{version}/",
            }
        for name, value in fields.items():
            spec[name] = value
            if value is None:
                del spec[name]
        self.body["spec"] = spec
        self.body["metadata"]["generation"] += 1
        self.is_news = True
        return self.target

    def command(self, verb: str, value: str) -> None:
        """Annotate, as ``modelfleet VERB`` does."""
        self.body["metadata"].setdefault("annotations", {})[f"{names.GROUP}/{verb}"] = value
        self.is_news = True

    def behave(self, version: str, **behaviour: Any) -> None:
        """Say how the pods of a version will behave."""
        other = PretendCluster(copy.deepcopy(self.body))
        self.controller.behaviours[other.write(version)] = Behaviour(**behaviour)

    def lose_status(self) -> None:
        """Take the whole status away, as a restored backup does."""
        self.body["status"] = {}
        self.is_news = True

    def break_pod(self, track: str = names.STABLE) -> Pod:
        """Have a pod be not ready until it is mended."""
        pod = self.pods(track)[0]
        pod.ready_at = None
        return pod

    def mend_pod(self, pod: Pod) -> None:
        pod.ready_at = self.now

    # What happens

    def happens(self) -> bool:
        has_worked = self.controller.work(self.now)
        return self.gateway.work(self.others.get(("HTTPRoute", "claims")), self.now) or has_worked

    def reconcile(self) -> None:
        """What the reconciler does, without its I/O."""
        status = self.brought(self.owner)
        self._may_crash()
        assert not list(violations(status, STATUS))
        if status != self.status:
            self.writes.append("status")
            self.body["status"] = status

    def brought(
        self, owner: ModelDeployment, gate: Waiting | None = None, recall: Failure | None = None
    ) -> Manifest:
        """Decide on the owner and do what was decided; return the status after it."""
        facts, policy = facts_of(owner, self.observed), owner.spec.rollout
        if needs_samples(facts, owner) and not self.has_samples:
            facts = dataclasses.replace(facts, obstacle=samples_missing(owner))
        if wants_counts(facts.rollout, policy, self.now) and (not facts.canary or facts.canary.settled):
            facts = dataclasses.replace(facts, counts=self._counts(owner, self.observed))
        decision = decide(dataclasses.replace(facts, gate=gate, recall=recall), policy, self.now)
        self.decisions.append(decision)
        self._may_crash()
        self._execute(owner, self.observed, decision)
        self.look_again = decision.look_again
        status: Manifest = json.loads(
            json.dumps(status_of(Resolved(owner), self.observed, None, self.now, decision))
        )
        return status

    @property
    def observed(self) -> Observed:
        """What the operator's cache holds of it."""
        deployments = {("Deployment", name): body for name, body in self.controller.deployments.items()}
        pods = tuple(pod.body() for pod in self.controller.pods)
        return Observed(children={**self.others, **deployments}, pods=pods)

    def _counts(self, owner: ModelDeployment, observed: Observed) -> Counts:
        if not self.is_measured:
            return Counts()
        by_uid = {pod.name: pod.sample for pod in self.controller.pods if pod.is_ready}
        tracks = pods_by_track(owner, observed)
        stable, canary = ({p["metadata"]["uid"] for p in pods} for pods in tracks)
        return Counts(*({uid: by_uid[uid] for uid in uids & by_uid.keys()} for uids in (stable, canary)))

    def _execute(self, owner: ModelDeployment, observed: Observed, decision: Decision) -> None:
        todo = plan(owner, observed, decision, self.defaults)
        for view in todo.children:
            self._apply(child_key(view), render(view, owner))
        for kind, name in todo.delete:
            self.writes.append(f"delete {kind}/{name}")
            self.others.pop((kind, name), None)
            if kind == "Deployment":
                del self.controller.deployments[name]
                self.controller.progress.pop(name, None)
            self._may_crash()

    def _apply(self, key: ChildKey, desired: Mapping[str, Any]) -> None:
        """Server-side apply: what is applied is there afterwards, and a changed spec is a new generation."""
        kind, name = key
        home: dict[Any, Manifest] = self.controller.deployments if kind == "Deployment" else self.others
        place: Any = name if kind == "Deployment" else key
        live = home.get(place)
        digest = dig(desired, "metadata", "annotations", names.APPLIED)
        if live and dig(live, "metadata", "annotations", names.APPLIED) == digest:
            return  # nobody else changes objects here
        self.writes.append(f"{kind}/{name}")
        generation = live["metadata"]["generation"] if live else 0
        changed = not live or live.get("spec") != desired.get("spec")
        metadata = {**desired["metadata"], "generation": generation + changed, "uid": name}
        status = {"status": live["status"]} if live and "status" in live else {}
        home[place] = {**desired, "metadata": metadata, **status}
        self._may_crash()

    def _may_crash(self) -> None:
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                self.crash_in = None
                raise Crash

    def next_moment(self, until: datetime) -> datetime:
        moments = (self.controller.next_moment(self.now), self.gateway.next_moment(), self.look_again)
        return min([until, *(moment for moment in moments if moment and moment > self.now)])

    def pass_to(self, moment: datetime) -> None:
        self.controller.serve(self.requests_per_s * (moment - self.now).total_seconds())
        self.now = moment


def cluster(replicas: int = 4, gateway: Manifest | None = None, **rollout: Any) -> PretendCluster:
    """A cluster in which version 1 serves, and succeeded."""
    body = stored_owner(model_deployment(replicas=replicas, rollout=rollout or None))
    if gateway:
        body["spec"]["gateway"] = gateway
    made = PretendCluster(body)
    if not rollout:
        del made.body["spec"]["rollout"]
    made.run(120)
    assert made.reason == "Serving", made.status
    return made
