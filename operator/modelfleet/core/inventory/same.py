"""One cluster that is described twice is one cluster: they are told apart by the UID of their kube-system."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from modelfleet.core.inventory.member import Member


@dataclass(frozen=True, slots=True)
class Identified:
    """A cluster by its identity, as its descriptions say it: the first is used, the others lead to the same."""

    uid: str
    member: Member
    others: tuple[Member, ...] = ()


def merged(found: Iterable[tuple[str, Member]]) -> list[Identified]:
    """Return each cluster once, from pairs of UID and description, in the order in which they are given.

    The first description of a cluster wins; where it names no region, one of the others may.
    """
    by_uid: dict[str, list[Member]] = {}
    for uid, member in found:
        by_uid.setdefault(uid, []).append(member)
    return [_identified(uid, members) for uid, members in by_uid.items()]


def _identified(uid: str, members: list[Member]) -> Identified:
    region = next((member.region for member in members if member.region), "")
    first, *others = members
    return Identified(uid, replace(first, region=region), tuple(others))
