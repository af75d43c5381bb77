"""What our server is meant to reach, and whether it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.serving.comparison import Comparison
from bench.serving.results import Key
from bench.serving.servers import OURS, UNBATCHED

Question = Callable[[Comparison], float]

MODEL_SERVERS = ("kserve", "mlserver", "triton")
# All but FastAPI tuned by hand, which was not there when the targets were set.
USUAL = ("fastapi", "flask", "azureml", *MODEL_SERVERS)
JSON = ("score", "v2")


@dataclass(frozen=True)
class Target:
    """A bound and what has to keep it; `reached` is what a prototype did, measured elsewhere and earlier."""

    load: str
    figure: str
    bound: str
    reached: str
    question: Question

    @property
    def limit(self) -> float:
        """The number in the bound."""
        return float(self.bound.split()[1])

    def is_met(self, value: float) -> bool:
        """Whether a figure keeps the bound."""
        return value >= self.limit if self.bound.startswith("≥") else value <= self.limit


@dataclass(frozen=True)
class Load:
    """A load on our server, in one protocol or several, of which the worst counts."""

    series: str
    model: str
    connections: int
    protocols: tuple[str, ...]

    def at(self, connections: int) -> Load:
        """The same with another number of connections."""
        return Load(self.series, self.model, connections, self.protocols)

    def ratio(self, figure: str, *servers: str) -> Question:
        """Our figure, divided by the best of the servers (any peer, where none is named)."""
        return lambda known: self._worst(figure, [known.ratio(key, figure, servers) for key in self._keys()])

    def gain(self, figure: str, server: str) -> Question:
        """Our figure, divided by that of one certain server in the same protocol."""
        return lambda known: self._worst(figure, [known.gain(key, figure, server) for key in self._keys()])

    def value(self, figure: str, factor: float = 1) -> Question:
        """Our figure itself."""
        return lambda known: self._worst(
            figure, [factor * getattr(known.ours(key), figure) for key in self._keys()]
        )

    def share_of_limit(self, rows: int | None = None) -> Question:
        """Our rate, divided by that of ONNX Runtime."""
        return lambda known: self._worst("rate", [known.share(key, rows) for key in self._keys()])

    def added_ms(self) -> Question:
        """Our median latency, less what the model itself takes."""
        return lambda known: self.value("p50_ms")(known) - 1000 / known.limit(self.series, self.model, 1)

    def _keys(self) -> list[Key]:
        return [Key(self.series, self.model, OURS.name, name, self.connections) for name in self.protocols]

    @staticmethod
    def _worst(figure: str, values: list[float]) -> float:
        return min(values) if figure == "rate" else max(values)


TINY = Load("pinned", "tiny", 64, JSON)
CLAIM = Load("pinned", "claim", 64, JSON)
SHARED_CLAIM = Load("shared", "claim", 64, JSON)
TEXT = Load("pinned", "text", 64, JSON)
IMAGE = Load("shared", "image", 8, ("binary",))
IMAGE_JSON = Load("shared", "image", 8, JSON)
PAYLOAD = Load("shared", "payload", 8, ("binary",))


def _grpc(model: str) -> Question:
    return Load("pinned", model, 64, ("grpc",)).ratio("rate", "mlserver")


def _life(fact: str) -> Question:
    return lambda known: known.life("pinned", "tiny", OURS.name, fact)


def _without_batches(model: str) -> Question:
    return Load("pinned", model, 1, ("score",)).gain("p50_ms", UNBATCHED.name)


RATE, CPU, MEDIAN = "requests/s ÷ best peer", "CPU for a request, µs", "p50 at 1 connection"
TARGETS = (
    Target("tiny, JSON, pinned, 64", "requests/s ÷ FastAPI", "≥ 8", "9.5 to 10.9", TINY.ratio("rate", "fastapi")),
    Target("", "requests/s ÷ best model server", "≥ 14", "14 to 16", TINY.ratio("rate", *MODEL_SERVERS)),
    Target("", f"{MEDIAN} ÷ FastAPI", "≤ 0.5", "", TINY.at(1).ratio("p50_ms", "fastapi")),
    Target("", CPU, "≤ 20", "14.4 to 16.5", TINY.value("cpu_ms", 1000)),
    Target("claim, JSON, pinned, 64", RATE, "≥ 2.8", "2.9", CLAIM.ratio("rate")),
    Target("", f"{RATE} but fastapi-orjson", "≥ 2.8", "2.9", CLAIM.ratio("rate", *USUAL)),
    Target("", "÷ limit with 8 rows a run", "≥ 0.85", "0.89 to 0.91", CLAIM.share_of_limit(8)),
    Target("", f"{MEDIAN} less the limit's, ms", "≤ 0.2", "", CLAIM.at(1).added_ms()),
    Target("", "p99 ÷ best peer", "≤ 0.4", "0.37", CLAIM.ratio("p99_ms")),
    Target("", CPU, "≤ 200", "", CLAIM.value("cpu_ms", 1000)),
    Target("claim, JSON, shared, 64", RATE, "≥ 3", "3.5", SHARED_CLAIM.ratio("rate")),
    Target("", "÷ limit at its best", "≥ 0.75", "0.77 to 0.82", SHARED_CLAIM.share_of_limit()),
    Target("text, JSON, pinned, 64", RATE, "≥ 3.3", "3.6", TEXT.ratio("rate")),
    Target("", f"{RATE} but fastapi-orjson", "≥ 3.3", "3.6", TEXT.ratio("rate", *USUAL)),
    Target("", "÷ limit with 1 row a run", "≥ 0.62", "0.68", TEXT.share_of_limit(1)),
    Target("", "p99 ÷ best peer", "≤ 0.4", "", TEXT.ratio("p99_ms")),
    Target("", CPU, "≤ 60", "", TEXT.value("cpu_ms", 1000)),
    Target(
        "image, binary, shared, 8", "requests/s ÷ Triton's front", "≥ 1.5", "1.55", IMAGE.ratio("rate", "triton")
    ),
    Target("", "÷ limit at its best", "≥ 0.85", "0.84 to 0.90", IMAGE.share_of_limit()),
    Target("image, 3 MB JSON, shared, 8", RATE, "≥ 1.6", "1.74", IMAGE_JSON.ratio("rate")),
    Target(
        "payload, binary, shared, 8",
        "requests/s ÷ Triton's front",
        "≥ 6",
        "7 to 8",
        PAYLOAD.ratio("rate", "triton"),
    ),
    Target("", CPU, "≤ 300", "170 to 200", PAYLOAD.value("cpu_ms", 1000)),
    Target("tiny, JSON, pinned, 1", "p50 ÷ that without batches", "≤ 1.1", "", _without_batches("tiny")),
    Target("claim, JSON, pinned, 1", "p50 ÷ that without batches", "≤ 1.1", "", _without_batches("claim")),
    Target("tiny, gRPC, pinned, 64", "requests/s ÷ MLServer's", "≥ 2", "", _grpc("tiny")),
    Target("claim, gRPC, pinned, 64", "requests/s ÷ MLServer's", "≥ 2", "", _grpc("claim")),
    Target("tiny, pinned", "first right answer after exec, s", "≤ 0.4", "0.17 to 0.30", _life("start_s")),
    Target("", "resident memory after all loads, MB", "≤ 85", "65", _life("rss_mb")),
)
