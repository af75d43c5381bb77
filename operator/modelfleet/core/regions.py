"""One ModelDeployment in several clusters: where it is to be, and what it is in each of them.

In each place it is a ModelDeployment of its own, with the status that is kept under the name of that place. So
one engine decides for all of them, and knows nothing of the others but whether it has to wait for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from modelfleet.core import memory, waits
from modelfleet.core.api import ModelDeployment, Region
from modelfleet.core.commands import Commands, read_commands
from modelfleet.core.conditions import find, timestamp
from modelfleet.core.decision import Waiting
from modelfleet.core.diagnosis import Cause
from modelfleet.core.inventory.site import Site, State
from modelfleet.core.inventory.standing import CONNECTING
from modelfleet.core.manifest import Manifest
from modelfleet.core.observed import Observed
from modelfleet.core.rollout import Phase, read_rollout, rejection, succeeded, write_rollout
from modelfleet.core.waves import RegionState

COUNTS = ("replicas", "readyReplicas", "updatedReplicas")
SHOWN = ("phase", "message", "revision", *memory.FIELDS, *COUNTS, "waitingFor")
"""The fields of a status that are kept of each place."""


@dataclass(frozen=True, slots=True)
class Place:
    """A region, or where several clusters serve in one, one of them. ``entry`` is what the status keeps of it.

    ``site`` is None where no such cluster is known now.
    """

    name: str
    region: Region
    site: Site | None
    entry: Manifest

    @property
    def is_reachable(self) -> bool:
        """Return whether what is there can be seen and changed."""
        return self.site is not None and self.site.state is State.REACHABLE


def places_of(owner: ModelDeployment, sites: Sequence[Site]) -> list[Place]:
    """Return all places that the spec names, in its order, whether they can be reached or not."""
    return [place for region in owner.spec.regions for place in _places_in(region, owner, sites)]


def left_of(owner: ModelDeployment, places: Sequence[Place], sites: Sequence[Site]) -> list[Place]:
    """Return the places that the status tells of and the spec names no more."""
    named = {place.site.uid for place in places if place.site}
    names = {place.name for place in places}
    by_uid = {site.uid: site for site in sites}
    return [
        Place(entry["name"], Region(entry["name"]), by_uid.get(entry.get("clusterUID", "")), entry)
        for entry in _entries(owner)
        if entry["name"] not in names and entry.get("clusterUID") not in named and "clusterUID" in entry
    ]


def part_of(owner: ModelDeployment, place: Place, hub: str, now: datetime) -> ModelDeployment:
    """Return what the ModelDeployment is in a place; ``hub`` is the UID of the cluster that it is in itself.

    The clocks of its rollout have stood still while nobody could see it.
    """
    count = place.region.replicas
    replicas = owner.spec.replicas if count is None else count
    status = _continued(place.entry, now)
    return replace(
        owner,
        spec=replace(owner.spec, replicas=replicas, regions=()),
        status=status,
        body={**owner.body, "status": status},
        hub=hub,
    )


def settling(place: Place, settle: timedelta, now: datetime) -> Waiting | None:
    """Return why nothing may begin in a place that was out of reach until just now, if so.

    Its nodes were cut off as well: a kube-proxy tries again up to a minute later, and sends requests to pods that
    have ended until it has heard of that.
    """
    since = _returned(place.entry, now)
    until = since + settle if since else now
    return waits.settling(place.name, until) if until > now else None


def entry_of(place: Place, status: Manifest, now: datetime) -> Manifest:
    """Return what is kept of a place whose status is that."""
    returned = _returned(place.entry, now)
    since = {"reachableSince": timestamp(returned)} if returned else {}
    ready = find(status["conditions"], "Ready")
    available = find(status["conditions"], "Available")
    seen = {name: status[name] for name in SHOWN if name in status}
    judged = {"ready": ready["status"] == "True", "available": available["status"] == "True"}
    return {**_identity(place), **since, **seen, **judged, "reason": ready["reason"]}


def unseen_entry(place: Place, now: datetime) -> Manifest:
    """Return what is kept of a place that cannot be seen: what is known of it, and since when that is old."""
    site = place.site
    if site and site.reason == CONNECTING and place.entry:
        return {**place.entry, **_identity(place)}
    if site is None or site.state is State.DETACHED:
        told = _told("Detached", *_detached(place))
    else:
        told = _told("Unreachable", "RegionUnreachable", _unreachable(place.name, site))
    since = {"unreachableSince": timestamp(site.since if site else now)} if place.entry else {}
    kept = {name: value for name, value in place.entry.items() if name not in {"waitingFor", "reachableSince"}}
    return {**since, **kept, **_identity(place), **told, "ready": False}


def untouched_entry(place: Place, problem: Cause) -> Manifest:
    """Return what is kept of a place in which nothing was done because of a problem that all of them have."""
    return place.entry or {
        **_identity(place),
        **_told("Progressing", problem.reason, problem.message),
        "ready": False,
    }


def removing_entry(place: Place, is_served: bool, now: datetime) -> Manifest:
    """Return what is kept of a place that is named no more, until nothing of it is left."""
    if is_served:
        message = f"What runs in {place.name} is removed as soon as its cluster answers."
    else:
        message = f"What runs in {place.name} is removed when all other regions serve."
    since = {"removingSince": place.entry.get("removingSince", timestamp(now))}
    return {**place.entry, **since, **_told("Removing", "RegionRemoved", message), "ready": False}


def without_members() -> Cause:
    """Return why regions cannot be served where the operator has no member clusters."""
    message = (
        "This operator has no member clusters, so it cannot serve in regions: tell it where they are described "
        "(docs/clusters.md), or leave spec.region and spec.regions out."
    )
    return Cause("NoMembers", message, stalled=True)


def commands_of(owner: ModelDeployment) -> Commands:
    """Return the commands for the whole. What a place has carried out was meant for that place.

    An approval is for steps only where these ask for one; otherwise it is for the end of the wave, as it would be
    for the end of a step, whenever that comes.
    """
    commands, policy = read_commands(owner.body), owner.spec.rollout
    done = {verb: value for entry in _entries(owner) for verb, value in entry.get("commands", {}).items()}
    if not (policy and policy.approval):
        done.pop("approve", None)
    return Commands(commands.given, {**done, **commands.done})


def state_of(place: Place, name: str, target: str, observed: Observed | None) -> RegionState:
    """Return how far a place is on the way to the target; ``observed`` is None where nothing can be seen."""
    entry = place.entry
    live = observed.deployment(name) if observed else None
    stable = live.revision if live else ("" if observed else entry.get("stableRevision", ""))
    rollout = read_rollout(entry)
    is_under_way = rollout is not None and rollout.revision == target
    goes_back = rollout if rollout and is_under_way and rollout.phase is Phase.ROLLING_BACK else None
    return RegionState(
        name=place.name,
        region=place.region.name,
        is_reachable=place.is_reachable,
        is_started=stable == target or is_under_way,
        is_done=stable == target and rollout is None and target in succeeded(entry),
        failure=(goes_back.failure if goes_back else None) or rejection(entry, target),
    )


def _places_in(region: Region, owner: ModelDeployment, sites: Sequence[Site]) -> Iterator[Place]:
    """Yield the clusters of a region: those that are known, and those that were; or none, which is a place too."""
    entries = _entries(owner)
    found = [(site, _entry_of(site, entries)) for site in sites if _is_in(site, region)]
    gone = [entry for entry in entries if _was_in(entry, region) and not _is_any(entry, found)]
    every: list[tuple[Site | None, Manifest]] = [*found, *((None, entry) for entry in gone)]
    for site, entry in every or [(None, {})]:
        cluster = site.name if site else entry.get("cluster", "")
        name = region.name if len(every) < 2 else f"{region.name}/{cluster}"
        yield Place(name, region, site, entry)


def _is_in(site: Site, region: Region) -> bool:
    return site.region == region.name and region.cluster in {"", site.name}


def _was_in(entry: Manifest, region: Region) -> bool:
    is_there = entry["name"].partition("/")[0] == region.name and "cluster" in entry
    return is_there and region.cluster in {"", entry["cluster"]}


def _is_any(entry: Manifest, found: Sequence[tuple[Site, Manifest]]) -> bool:
    """Return whether an entry is about one of these clusters, or one that was rebuilt under the name of one."""
    return any(entry is other or entry["cluster"] == site.name for site, other in found)


def _entries(owner: ModelDeployment) -> list[Manifest]:
    entries: list[Manifest] = owner.status.get("regions", [])
    return entries


def _entry_of(site: Site, entries: Sequence[Manifest]) -> Manifest:
    """Return what is kept of a cluster; one that was never seen in the life of this process goes by its name."""
    key, value = ("clusterUID", site.uid) if site.uid else ("cluster", site.name)
    return next((entry for entry in entries if entry.get(key) == value), {})


def _identity(place: Place) -> dict[str, Any]:
    site = place.site
    told = {"cluster": site.name, "clusterUID": site.uid or place.entry.get("clusterUID")} if site else {}
    return {"name": place.name, **{key: value for key, value in told.items() if value}}


def _continued(entry: Manifest, now: datetime) -> Manifest:
    """Return the status of a place that is seen again, with clocks that have not run meanwhile."""
    since = entry.get("unreachableSince")
    rollout = read_rollout(entry)
    if not since or not rollout:
        return entry
    away = max(now - datetime.fromisoformat(since), now - now)
    ready_since = rollout.ready_since + away if rollout.ready_since else None
    later = replace(rollout, since=rollout.since + away, ready_since=ready_since)
    return {**entry, "rollout": {**entry["rollout"], **write_rollout(later, entry["rollout"].get("steps", 0))}}


def _returned(entry: Manifest, now: datetime) -> datetime | None:
    """Return when a place came to be seen again that could not be; None for one that always was."""
    if "unreachableSince" in entry:
        return now
    told = entry.get("reachableSince")
    return datetime.fromisoformat(told) if told else None


def _told(phase: str, reason: str, message: str) -> dict[str, Any]:
    return {"phase": phase, "reason": reason, "message": message}


def _detached(place: Place) -> tuple[str, str]:
    if place.entry:
        cluster = place.entry.get("cluster", "")
        return "Detached", (
            f"The cluster {cluster} of {place.name} is no member any more; what runs there is left alone. Join it "
            "again, or take the region out of the spec."
        )
    pinned = f" with the name {place.region.cluster}" if place.region.cluster else ""
    return "RegionUnknown", (
        f"No member cluster{pinned} is known in the region {place.region.name}: join one, or write a region "
        "that has one (modelfleet cluster list)."
    )


def _unreachable(name: str, site: Site) -> str:
    told = f": {site.message}" if site.message else "."
    return f"The cluster {site.name} of {name} has not answered since {timestamp(site.since)}{told}"
