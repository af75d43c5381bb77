"""Made-up measurements."""

from bench.serving.comparison import Comparison, compared
from bench.serving.results import Life, Limit, Results, Run


def run(
    server: str, rate: float, *, protocol: str = "v2", connections: int = 64, p50_ms: float = 1, failures: int = 0
) -> Run:
    """A load with the model tiny in the series pinned."""
    return Run("pinned", "tiny", server, protocol, connections, rate, p50_ms, 2 * p50_ms, 0.1, failures, 0.0)


def life(server: str, start_s: float) -> Life:
    """A life of a server, with 50 MB."""
    return Life("pinned", "tiny", server, start_s, 50.0, 40.0)


def limit(rate: float, *, rows: int = 1) -> Limit:
    """What ONNX Runtime does with one thread."""
    return Limit("pinned", "tiny", rows, 1, 1, rate)


def comparison(*measured: Run | Life | Limit) -> Comparison:
    """All of it, compared."""
    return compared(results(*measured))


def results(*measured: Run | Life | Limit) -> Results:
    """All of it, of one day."""
    return Results(
        machine={"cores": "2"},
        days={"pinned/tiny": "2026-11-22"},
        runs=[one for one in measured if isinstance(one, Run)],
        lives=[one for one in measured if isinstance(one, Life)],
        limits=[one for one in measured if isinstance(one, Limit)],
    )
