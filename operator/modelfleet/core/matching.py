"""Whether a live object already holds everything that is wanted of it.

Server-side apply of an unchanged object is a request all the same. Comparing first is what lets an
idle operator send none.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([eE][+-]?[0-9]+|[KMGTPE]i|[numkMGTPE])?")
_SUFFIXES = {
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("n", "u", "m"), -3)},
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}
_QUANTITIES = frozenset({"divisor"})
_QUANTITY_MAPS = frozenset({"requests", "limits"})


def holds(live: Any, desired: Any) -> bool:
    """Return whether ``live`` has every field of ``desired``; fields of others in ``live`` do not matter.

    List items that have a name are found by it, because admission webhooks may add items of their own
    (sidecars, tokens) anywhere; other lists are compared item by item.
    """
    if live is None or desired is None:
        return _empty(live) and _empty(desired)
    if isinstance(desired, Mapping):
        return isinstance(live, Mapping) and all(
            _holds_field(key, live.get(key), value) for key, value in desired.items()
        )
    if isinstance(desired, Sequence) and not isinstance(desired, str):
        return isinstance(live, Sequence) and _holds_items(live, desired)
    return bool(live == desired)


def _holds_field(key: str, live: Any, desired: Any) -> bool:
    if key in _QUANTITIES and isinstance(live, str | int) and isinstance(desired, str | int):
        return quantity(live) == quantity(desired)
    if key in _QUANTITY_MAPS and isinstance(live, Mapping) and isinstance(desired, Mapping):
        return live.keys() >= desired.keys() and all(
            quantity(live[name]) == quantity(amount) for name, amount in desired.items()
        )
    return holds(live, desired)


def _holds_items(live: Sequence[Any], desired: Sequence[Any]) -> bool:
    if all(isinstance(item, Mapping) and "name" in item for item in (*live, *desired)):
        by_name = {item["name"]: item for item in live}
        return all(holds(by_name.get(item["name"]), item) for item in desired)
    return len(live) == len(desired) and all(map(holds, live, desired))


def _empty(value: Any) -> bool:
    """Return whether the API server leaves the value out when it stores the object.

    Zero and false are not empty: the fields that hold them here are pointers in Go, stored when given.
    """
    return value is None or (isinstance(value, Mapping | Sequence) and not value)


def quantity(value: str | int) -> Decimal | str:
    """Return a Kubernetes quantity as a number, so that ``1000m`` equals ``1``; other text as it is."""
    match = _QUANTITY.fullmatch(str(value))
    if not match:
        return str(value)
    number, suffix = match[1], match[2] or ""
    if suffix[:1] in "eE" and len(suffix) > 1 and suffix != "Ei":
        return Decimal(number + suffix)
    return Decimal(number) * _SUFFIXES[suffix]
