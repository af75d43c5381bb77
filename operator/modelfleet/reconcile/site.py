"""Member clusters as they are known now, each once, with what a reconcile needs to work in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from modelfleet.core.inventory import site
from modelfleet.core.inventory.member import Origin, Refusal
from modelfleet.core.inventory.site import State
from modelfleet.kube.client import KubeClient
from modelfleet.reconcile.world import World


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a reconcile works with: complete caches, and the client that they are filled by."""

    client: KubeClient
    world: World


@dataclass(frozen=True, slots=True, kw_only=True)
class Site(site.Site):
    """A member cluster, where it is described, and the way into it: one that is Reachable has a `cluster`."""

    origin: Origin
    cluster: Cluster | None = None


def unused(last: Site | None, refusal: Refusal | None, now: datetime) -> Site | None:
    """Return what is to be told of a cluster that is not used: it is refused, or what is left of it.

    Of one that nobody ever got to know, nothing is left.
    """
    if refusal:
        return _refused(last, refusal, now)
    if last is None or not last.uid:
        return None
    if last.state is State.DETACHED:
        return last
    told = "Nothing describes it any more; what runs there is left alone."
    return replace(last, state=State.DETACHED, since=now, reason="", message=told, cluster=None)


def _refused(last: Site | None, refusal: Refusal, now: datetime) -> Site:
    is_news = last is None or (last.state, last.reason) != (State.REFUSED, refusal.reason)
    return Site(
        name=refusal.name,
        region=refusal.region,
        uid=last.uid if last else "",
        state=State.REFUSED,
        since=now if is_news or last is None else last.since,
        reason=refusal.reason,
        message=refusal.message,
        origin=refusal.origin,
    )


def each_once(sites: Iterable[Site]) -> tuple[Site, ...]:
    """Return each cluster once: the first description of it; where that names no region, one of the others may."""
    same: dict[str, list[Site]] = {}
    for one in sites:
        same.setdefault(one.uid or str(one.origin), []).append(one)
    return tuple(_first(ones) for ones in same.values())


def _first(ones: list[Site]) -> Site:
    return replace(ones[0], region=next((one.region for one in ones if one.region), ""))
