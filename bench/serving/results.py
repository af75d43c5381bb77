"""What was measured, as it is kept in a file; and its medians, which are what the report tells."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Run:
    """One load on one server: answers per second, latencies, the server's milliseconds of CPU for each answer, and
    how many cores others took meanwhile.
    """

    series: str
    model: str
    server: str
    protocol: str
    connections: int
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    failures: int
    others: float


@dataclass(frozen=True)
class Life:
    """One server from start to end: how long until its first right answer, and its memory after all loads."""

    series: str
    model: str
    server: str
    start_s: float
    rss_mb: float
    pss_mb: float


@dataclass(frozen=True)
class Limit:
    """Rows per second of ONNX Runtime alone: rows of a run, runs side by side, threads of a run."""

    series: str
    model: str
    rows: int
    side_by_side: int
    threads: int
    rate: float


@dataclass(frozen=True)
class Missing:
    """A server, or one of its protocols, that could not be measured, and why."""

    series: str
    model: str
    what: str
    reason: str


@dataclass
class Results:
    """Everything that is known, with the machine that it is of, and the day of each series of a model."""

    machine: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    days: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    def forget(self, series: str, model: str) -> None:
        """Drops what was measured of a model in a series, which is always measured anew as a whole."""
        for name in KINDS:
            kept = [one for one in getattr(self, name) if (one.series, one.model) != (series, model)]
            setattr(self, name, kept)

    def save(self, path: Path) -> None:
        """Writes the file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), indent=1) + "\n")
        partial.replace(path)


KINDS: dict[str, type[Any]] = {"runs": Run, "lives": Life, "limits": Limit, "missing": Missing}


def load(path: Path) -> Results:
    """What the file holds, or nothing where there is none."""
    if not path.exists():
        return Results()
    kept = json.loads(path.read_text())
    return Results(**kept | {name: [kind(**one) for one in kept[name]] for name, kind in KINDS.items()})


class Key(NamedTuple):
    """What a figure is of."""

    series: str
    model: str
    server: str
    protocol: str
    connections: int


@dataclass(frozen=True)
class Figures:
    """The medians over the rounds, and the sum of the failures."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    failures: int
    others: float


def medians(runs: Iterable[Run]) -> dict[Key, Figures]:
    """The figures of each load."""
    rounds: dict[Key, list[Run]] = defaultdict(list)
    for run in runs:
        rounds[Key(*(getattr(run, name) for name in Key._fields))].append(run)
    return {key: _figures(same) for key, same in rounds.items()}


def _figures(rounds: list[Run]) -> Figures:
    values = {one.name: [getattr(run, one.name) for run in rounds] for one in fields(Figures)}
    failures = sum(values.pop("failures"))
    return Figures(**{name: statistics.median(each) for name, each in values.items()}, failures=failures)
