"""What becomes of the connections to clusters when their descriptions are read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modelfleet.core.inventory.member import Member, Origin, Refusal


@dataclass(frozen=True, slots=True)
class Difference:
    """The clusters that are to be connected, to be connected anew, and not to be used any more."""

    joined: tuple[Member, ...] = ()
    changed: tuple[Member, ...] = ()
    lost: tuple[Origin, ...] = ()


def difference(used: Mapping[Origin, Member], described: Mapping[Origin, Member | Refusal]) -> Difference:
    """Return how the clusters that are used differ from those that are described; a refused one is not used."""
    usable = {origin: found for origin, found in described.items() if isinstance(found, Member)}
    return Difference(
        joined=tuple(member for origin, member in usable.items() if origin not in used),
        changed=tuple(member for origin, member in usable.items() if used.get(origin, member) != member),
        lost=tuple(origin for origin in used if origin not in usable),
    )
