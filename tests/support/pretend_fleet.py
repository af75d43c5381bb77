"""A pretended hub: one ModelDeployment in several pretended clusters, some of which may not answer for a while.

It does what the operator's reconciler of regions does, without I/O.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from modelfleet.core import names
from modelfleet.core.api import ModelDeployment, parse
from modelfleet.core.conditions import find
from modelfleet.core.inventory.site import Site, State
from modelfleet.core.observed import Observed
from modelfleet.core.overview import Travel, overview
from modelfleet.core.regions import (
    Place,
    commands_of,
    entry_of,
    part_of,
    places_of,
    settling,
    state_of,
    unseen_entry,
)
from modelfleet.core.registered import Resolved
from modelfleet.core.revision import revision_of
from modelfleet.core.rollout import succeeded
from modelfleet.core.waves import Guidance, RegionState, guide, read_journey
from tests.support.modeldeployments import model_deployment
from tests.support.objects import stored_owner
from tests.support.pretend_cluster import START, STATUS, PretendCluster
from tests.support.pretend_deployments import Behaviour, Manifest
from tests.support.pretend_time import Crash, PretendTime
from tests.support.schema import violations

SETTLE = timedelta(seconds=60)
REGIONS = ("west", "north", "east")


@dataclass
class PretendFleet(PretendTime):
    """One ModelDeployment named claims, and a cluster in each of the regions."""

    body: Manifest
    clusters: dict[str, PretendCluster]
    now: datetime = START
    away: dict[str, datetime] = field(default_factory=dict)
    back: dict[str, datetime] = field(default_factory=dict)
    look_again: datetime | None = None
    is_news: bool = True
    crash_in: int | None = None
    stalled: set[str] = field(default_factory=set)
    writes: int = 0

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
    def reason(self) -> str:
        return str(find(self.status["conditions"], "Ready")["reason"])

    @property
    def is_stalled(self) -> bool:
        return bool(find(self.status["conditions"], "Stalled"))

    @property
    def results(self) -> list[tuple[str, str]]:
        """The revisions that have ended and how, newest first."""
        return [(entry["revision"], entry["result"]) for entry in self.status.get("history", [])]

    def entry(self, region: str) -> Manifest:
        """What the status tells of a region."""
        return next(entry for entry in self.status["regions"] if entry["name"] == region)

    def reason_in(self, region: str) -> str:
        return str(self.entry(region)["reason"])

    def phase_in(self, region: str) -> str:
        """The phase of the rollout in a region, or nothing."""
        return str(self.entry(region).get("rollout", {}).get("phase", ""))

    def stable_in(self, region: str) -> str:
        """The revision of the stable pods of a region, or nothing."""
        cluster = self.clusters[region]
        return cluster.stable_revision if "claims" in cluster.controller.deployments else ""

    def running_in(self, region: str) -> set[str]:
        """The revisions of which there are pods in a region."""
        return self.clusters[region].running()

    # What people do

    def write(self, version: str | None = None, **fields: Any) -> str:
        """Change the spec as a user does, and return the revision that it asks for then."""
        other = PretendCluster(self.body)
        other.write(version, **fields)
        self.is_news = True
        return self.target

    def command(self, verb: str, value: str) -> None:
        """Annotate, as ``modelfleet VERB`` does."""
        self.body["metadata"].setdefault("annotations", {})[f"{names.GROUP}/{verb}"] = value
        self.is_news = True

    def behave(self, version: str, *regions: str, **behaviour: Any) -> None:
        """Say how the pods of a version will behave, in some regions or in all."""
        for region in regions or self.clusters:
            cluster = self.clusters[region]
            of = PretendCluster(json.loads(json.dumps(self.body)))
            cluster.controller.behaviours[of.write(version)] = Behaviour(**behaviour)

    # What happens to clusters

    def lose(self, region: str) -> None:
        """From now on the API server of a region does not answer."""
        self.back.pop(region, None)
        self.away.setdefault(region, self.now)
        self.is_news = True

    def find(self, region: str) -> None:
        """The API server of a region answers again."""
        if self.away.pop(region, None):
            self.back[region] = self.now
        self.is_news = True

    def sites(self) -> list[Site]:
        """The member clusters as the operator knows them."""
        return [self._site(region) for region in self.clusters]

    def _site(self, region: str) -> Site:
        is_away = region in self.away
        state = State.UNREACHABLE if is_away else State.REACHABLE
        since = self.away.get(region) or self.back.get(region, START)
        return Site(f"aks-{region}", region, f"uid-of-{region}", state, since)

    # How time passes

    def happens(self) -> bool:
        news = [region for region, cluster in self.clusters.items() if cluster.happens()]
        return any(region not in self.away for region in news)

    def next_moment(self, until: datetime) -> datetime:
        moments = [cluster.controller.next_moment(self.now) for cluster in self.clusters.values()]
        return min([until, *(moment for moment in (*moments, self.look_again) if moment and moment > self.now)])

    def pass_to(self, moment: datetime) -> None:
        for cluster in self.clusters.values():
            cluster.pass_to(moment)
        self.now = moment

    # What the operator does

    def reconcile(self) -> None:
        """What the reconciler of regions does, without its I/O."""
        owner, self.stalled = self.owner, set()
        places = places_of(owner, self.sites())
        before = self.guided(owner, places)
        left = [self._visited(owner, place, before) for place in places]
        after = self.guided(owner, left, before)
        travel = Travel(after, self.states(owner, left))
        self._may_crash()
        self._report(owner, [place.entry for place in left], travel)
        if (before.gates, before.recalls) != (after.gates, after.recalls):
            self._look_at(self.now)
        for gate in after.gates.values():
            self._look_at(gate.until)

    def states(self, owner: ModelDeployment, places: list[Place]) -> list[RegionState]:
        """How far each place is."""
        target = revision_of(owner.spec)
        return [state_of(place, owner.name, target, self._observed(place)) for place in places]

    def guided(self, owner: ModelDeployment, places: list[Place], before: Guidance | None = None) -> Guidance:
        """What the places are told."""
        target = revision_of(owner.spec)
        journey = before.journey if before else read_journey(owner.status)
        is_good = target in succeeded(owner.status)
        states, policy = self.states(owner, places), owner.spec.rollout
        return guide(journey, target, owner.label, is_good, states, policy, commands_of(owner), self.now)

    def _visited(self, owner: ModelDeployment, place: Place, guidance: Guidance) -> Place:
        if not place.is_reachable:
            return Place(place.name, place.region, place.site, unseen_entry(place, self.now))
        cluster = self.clusters[place.region.name]
        part = part_of(owner, place, "uid-of-hub", self.now)
        cluster.crash_in, self.crash_in = self.crash_in, None
        gate = guidance.gates.get(place.name, settling(place, SETTLE, self.now))
        recall = guidance.recalls.get(place.name)
        status = cluster.brought(part, gate, recall)
        self.stalled |= {place.name} if find(status["conditions"], "Stalled") else set()
        cluster.crash_in, self.crash_in = None, cluster.crash_in
        self._look_at(cluster.look_again)
        return Place(place.name, place.region, place.site, entry_of(place, status, self.now))

    def _observed(self, place: Place) -> Observed | None:
        return self.clusters[place.region.name].observed if place.is_reachable else None

    def _report(self, owner: ModelDeployment, entries: Sequence[Mapping[str, Any]], travel: Travel) -> None:
        pods = [pod for region in self.clusters for pod in self._pods(region)]
        observed, stalled = Observed(pods=tuple(pods)), frozenset(self.stalled)
        told = overview(Resolved(owner), observed, entries, stalled, travel, None, self.now)
        status = json.loads(json.dumps(told))
        assert not list(violations(status, STATUS))
        if status != self.status:
            self.writes += 1
            self.body["status"] = status

    def _pods(self, region: str) -> Sequence[Mapping[str, Any]]:
        return () if region in self.away else self.clusters[region].observed.pods

    def _look_at(self, moment: datetime | None) -> None:
        if moment:
            self.look_again = min(moment, self.look_again or moment)

    def _may_crash(self) -> None:
        if self.crash_in is not None:
            self.crash_in = None
            raise Crash


def fleet(replicas: int = 2, regions: tuple[str, ...] = REGIONS, **rollout: Any) -> PretendFleet:
    """A fleet in which version 1 serves everywhere, and succeeded."""
    named = [{"name": region} for region in regions]
    body = stored_owner(model_deployment(replicas=replicas, rollout=rollout or {"bake": "0s"}, regions=named))
    clusters = {region: PretendCluster({}) for region in regions}
    made = PretendFleet(body, clusters)
    made.command("approve", made.target)
    made.run_until(lambda: made.status and made.reason == "Serving")
    made.run(60)
    return made
