"""The results as a page of tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial

from bench.serving.comparison import Comparison, compared
from bench.serving.results import Key, Missing, Results
from bench.serving.servers import NO_PEERS
from bench.serving.targets import TARGETS, Target

SMALL = 0.001
FIGURES = ("rate", "p50_ms", "p99_ms", "cpu_ms")
HEAD = """\
# The scoring server beside its peers

Written by `make bench-serving` from what it measured (`python -m bench.serving --help`); changes belong there.

- wrk posts one body over connections that stay open; the answer is checked before and after each load. Each figure
  is the median of the rounds; in each round the limit and every server are measured in turn.
- *pinned*: the server on one core, wrk on the other, one worker. *shared*: both cores for both, two workers.
  One machine carries server and load, so compare ratios.
- *limit*: ONNX Runtime called in a loop by a process that does nothing else, on the server's cores, with the rows
  a run (1 to 64) and the threads that suit it best; *1 row*: one thread, a row at a time.
- *÷ best*: divided by the best peer that carries the same (JSON, binary tensors, gRPC).
- *CPU*: CPU-seconds of all of the server's processes for 1,000 requests, which is milliseconds for one.
- *PSS*: memory, with what processes share divided among them.
- Peers call the same model with the same ONNX Runtime and check nothing else
  ([their code](../bench/serving/peers)). None logs single requests but Azure ML's server, which has no switch.
  `fastapi` takes a typed body as its documentation teaches, `fastapi-orjson` is tuned by hand. MLServer runs in
  one process, without its pool of workers. Triton is its front end with a Python model (pytriton).
- Bodies: `score` is `{"data": …}`, `v1` `{"instances": …}`, `v2` and `binary` the Open Inference Protocol.
- `modelserver-unbatched` is ours with every request in a run of its own.
- gRPC is driven by a Python client that takes about as much CPU as a server: its ratios flatter the slower one.
- Of several protocols, the worst counts for a target. Where the time of a request goes, and what would have to
  change for the targets that are missed: [ADR 0016](adr/0016-the-hot-path-stays-in-python.md).
"""


def rendered(results: Results) -> str:
    """The whole page."""
    known = compared(results)
    parts = [HEAD, "## Targets\n", *_targets(known), "## The machine\n", *_facts(results)]
    for series, model in _measured(results):
        parts += [
            f"## {model}, {series}\n",
            *_model(known, series, model, results.days.get(f"{series}/{model}", "")),
        ]
    if results.missing:
        parts += ["## What is missing, and why\n", *_missing(results.missing)]
    return "\n".join(parts)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown; all columns but the first are numbers."""
    names = list(head)
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def number(value: float) -> str:
    """A number with three digits that mean something."""
    if value >= 1000:
        return f"{value:,.0f}"
    if value < SMALL:
        return f"{value:.4f}"
    return f"{value:#.3g}".rstrip(".")


def verdict(target: Target, known: Comparison) -> list[str]:
    """A line of the table of targets."""
    try:
        value = target.question(known)
    except LookupError:
        return [target.load, target.figure, target.bound, target.reached, "not measured", ""]
    met = "yes" if target.is_met(value) else "**no**"
    return [target.load, target.figure, target.bound, target.reached, number(value), met]


def _targets(known: Comparison) -> Iterator[str]:
    head = ("model, body, series, connections", "figure", "target", "a prototype reached", "measured", "met")
    yield table(head, (verdict(target, known) for target in TARGETS))


def _facts(results: Results) -> Iterator[str]:
    yield table(("what", "is"), ([name, value] for name, value in {**results.machine, **results.versions}.items()))


def _measured(results: Results) -> list[tuple[str, str]]:
    return list(dict.fromkeys((run.series, run.model) for run in results.runs))


def _model(known: Comparison, series: str, model: str, day: str) -> Iterator[str]:
    keys = [key for key in known.figures if (key.series, key.model) == (series, model)]
    keys.sort(key=lambda key: (key.connections, -known.figures[key].rate))
    others = max(known.figures[key].others for key in keys)
    yield f"Measured on {day}; other processes took up to {others:.2f} cores. {_limit(known, series, model)}\n"
    names = ("requests/s", "÷ best", "p50 ms", "÷ best", "p99 ms", "÷ best", "CPU", "÷ best")
    head = ("server, body", "connections", *names, "÷ 1 row", "÷ limit")
    yield table(head, (_line(known, key) for key in keys))
    servers = dict.fromkeys(key.server for key in keys)
    facts = ("server", "first answer s", "÷ best", "RSS MB", "÷ best", "PSS MB", "÷ best")
    yield table(facts, (_life(known, series, model, server) for server in servers))


def _limit(known: Comparison, series: str, model: str) -> str:
    try:
        alone, best = known.limit(series, model, 1), known.limit(series, model)
    except LookupError:
        return ""
    return f"Limit: {number(alone)} rows/s one at a time ({number(1e6 / alone)} µs), at best {number(best)}."


def _line(known: Comparison, key: Key) -> list[str]:
    figures = known.figures[key]
    cells = [
        cell
        for name in FIGURES
        for cell in (number(getattr(figures, name)), _told(partial(known.ratio, key, name)))
    ]
    shares = [_told(partial(known.share, key, rows)) for rows in (1, None)]
    failed = f" ({figures.failures} FAILED)" if figures.failures else ""
    name = f"{key.server}, {key.protocol}{failed}"
    return [_bold(key.server, name), str(key.connections), *cells, *shares]


def _life(known: Comparison, series: str, model: str, server: str) -> list[str]:
    cells = [_bold(server, server)]
    for fact in ("start_s", "rss_mb", "pss_mb"):
        cells.append(_told(partial(known.life, series, model, server, fact)))
        cells.append(_told(partial(known.life_ratio, series, model, server, fact)))
    return cells


def _told(value: Callable[[], float]) -> str:
    """The value as text, or nothing where it was not measured."""
    with suppress(LookupError):
        return number(value())
    return ""


def _bold(server: str, text: str) -> str:
    return f"**{text}**" if server in NO_PEERS else text


def _missing(missing: Iterable[Missing]) -> Iterator[str]:
    lines = dict.fromkeys((one.what, f"{one.model}, {one.series}", _last_line(one.reason)) for one in missing)
    yield table(("what", "with", "reason"), lines)


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2].replace("|", "/")
