"""What people write into files, read strictly: what is not understood is a mistake, never ignored."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from reprlib import repr as shortened
from typing import Any, TypeVar

import yaml

MAX_DEPTH = 100
T = TypeVar("T")
# Makes a value of what the file holds at a place, or raises Invalid, naming the place.
Reader = Callable[[str, Any], T]


class Invalid(ValueError):
    """The file cannot be used; its text is a sentence for the person who wrote it."""


class Loader(yaml.CSafeLoader):
    """Refuses a key that is given twice, of which YAML would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping that `node` is. Raises MarkedYAMLError."""
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise yaml.MarkedYAMLError(problem="a key is given twice in the mapping", problem_mark=node.start_mark)
        return mapping


# JSON is YAML, but YAML 1.1 takes such numbers for texts.
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), [*"-+0123456789"]
)


def document(content: str | bytes, loader: type[Loader] = Loader) -> Any:
    """What the YAML in `content` says. Raises Invalid, also for aliases, by which a few lines become gigabytes."""
    try:
        _check(yaml.parse(content, loader))
        return yaml.load(content, loader)  # noqa: S506  # it is a safe one
    except (yaml.YAMLError, ValueError) as error:
        raise Invalid(f"this is not valid YAML: {' '.join(str(error).split())}") from None


def _check(events: Iterable[yaml.Event]) -> None:
    """Too many levels would end the process when they are loaded."""
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.YAMLError(f"more than {MAX_DEPTH} levels {event.start_mark}")
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError(f"an alias; write it out instead {event.start_mark}")


def text(where: str, found: Any) -> str:
    """A text that is not empty."""
    if not isinstance(found, str) or not found:
        raise Invalid(f"{where} must be a text, not {shortened(found)}")
    return found


def number(least: float, most: float) -> Reader[float]:
    """A reader of numbers within these bounds."""

    def read(where: str, found: Any) -> float:
        if type(found) not in (int, float) or math.isnan(found) or not least <= found <= most:
            raise Invalid(f"{where} must be a number from {least:g} to {most:g}, not {shortened(found)}")
        return float(found)

    return read


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a mapping, by the field that it becomes."""

    field: str
    read: Reader[Any]
    is_needed: bool = False


def section(make: Callable[..., T], members: Mapping[str, Member]) -> Reader[T]:
    """A reader of a mapping with these members, which calls `make` with those that are there."""

    def read(where: str, found: Any) -> T:
        given = mapping(where, found)
        for name in given:
            if name not in members:
                raise Invalid(f"there is no {path(where, name)}; there is {', '.join(members)}")
        for name, member in members.items():
            if member.is_needed and name not in given:
                raise Invalid(f"{path(where, name)} is missing")
        return make(
            **{members[name].field: members[name].read(path(where, name), value) for name, value in given.items()}
        )

    return read


def each(read_one: Reader[T]) -> Reader[dict[str, T]]:
    """A reader of a mapping of any names to values of one kind."""

    def read(where: str, found: Any) -> dict[str, T]:
        return {name: read_one(path(where, name), value) for name, value in mapping(where, found).items()}

    return read


def mapping(where: str, found: Any) -> dict[str, Any]:
    """The members that have a value: YAML gives null for what is left empty."""
    if not isinstance(found, dict):
        raise Invalid(f"{where or 'the file'} must be a mapping of names to values, not {shortened(found)}")
    return {str(name): value for name, value in found.items() if value is not None}


def path(where: str, name: str) -> str:
    """The place of the member `name` of what is at `where`."""
    return f"{where}.{name}" if where else name
