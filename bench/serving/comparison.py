"""The figures side by side: the best peer for each, the limit, and what is ours as a ratio to them."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.serving.results import Figures, Key, Life, Limit, medians
from bench.serving.servers import NO_PEERS, OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from bench.serving.results import Results

# Peers compete with those who carry the same: text or bytes.
CARRIED = {"score": "JSON", "v1": "JSON", "v2": "JSON", "binary": "binary", "grpc": "gRPC"}


@dataclass(frozen=True)
class Comparison:
    """What is known of all servers. A question about what was not measured, or failed, raises LookupError."""

    figures: dict[Key, Figures]
    lives: list[Life] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)

    def ours(self, key: Key) -> Figures:
        """Our figures for what the key names, whichever server it names."""
        return self._sound(key._replace(server=OURS.name))

    def best(self, key: Key, figure: str, servers: Collection[str] = ()) -> float:
        """The best that any peer (or any of these) reaches with the same load, carried in the same way."""
        values = [
            getattr(figures, figure)
            for other, figures in self.figures.items()
            if _is_rival(other, key) and not figures.failures and (not servers or other.server in servers)
        ]
        if not values:
            raise LookupError(f"no peer was measured at {key}")
        best: Callable[[Iterable[float]], float] = max if figure == "rate" else min
        return best(values)

    def ratio(self, key: Key, figure: str, servers: Collection[str] = ()) -> float:
        """What a server reaches, divided by what the best peer does."""
        return float(getattr(self._sound(key), figure)) / self.best(key, figure, servers)

    def limit(self, series: str, model: str, rows: int | None = None) -> float:
        """Rows per second of ONNX Runtime: at best, or by one thread with so many rows a run."""
        rates: dict[tuple[int, int, int], list[float]] = defaultdict(list)
        for one in self.limits:
            if (one.series, one.model) == (series, model):
                rates[one.rows, one.side_by_side, one.threads].append(one.rate)
        middle = {way: statistics.median(each) for way, each in rates.items()}
        if not middle:
            raise LookupError(f"the limit of {model}, {series}, was not measured")
        return middle[rows, 1, 1] if rows else max(middle.values())

    def gain(self, key: Key, figure: str, server: str) -> float:
        """What ours reaches, divided by what one certain server does with the very same load."""
        theirs = self._sound(key._replace(server=server))
        return float(getattr(self.ours(key), figure)) / float(getattr(theirs, figure))

    def share(self, key: Key, rows: int | None = None) -> float:
        """What a server reaches, divided by the limit."""
        return self._sound(key).rate / self.limit(key.series, key.model, rows)

    def life(self, series: str, model: str, server: str, fact: str) -> float:
        """The median of what was seen of a server's start or memory."""
        same = (series, model, server)
        seen = [getattr(life, fact) for life in self.lives if (life.series, life.model, life.server) == same]
        if not seen:
            raise LookupError(f"{server} was not measured with {model}, {series}")
        return float(statistics.median(seen))

    def life_ratio(self, series: str, model: str, server: str, fact: str) -> float:
        """The same, divided by the least that any peer takes."""
        peers = {life.server for life in self.lives if (life.series, life.model) == (series, model)} - NO_PEERS
        if not peers:
            raise LookupError(f"no peer was measured with {model}, {series}")
        return self.life(series, model, server, fact) / min(self.life(series, model, peer, fact) for peer in peers)

    def _sound(self, key: Key) -> Figures:
        if self.figures[key].failures:
            raise LookupError(f"{key} failed")
        return self.figures[key]


def compared(results: Results) -> Comparison:
    """The results, ready to be asked."""
    return Comparison(medians(results.runs), results.lives, results.limits)


def _is_rival(other: Key, key: Key) -> bool:
    same = other.series, other.model, other.connections, CARRIED[other.protocol]
    return other.server not in NO_PEERS and same == (key.series, key.model, key.connections, CARRIED[key.protocol])
