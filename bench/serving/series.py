"""The measuring: the limit and then every server in turn, round after round, so that all share one weather."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.serving import machine, models
from bench.serving.process import Ended, running
from bench.serving.results import Life, Limit, Missing, Results, Run
from bench.serving.servers import OURS, ROOT, Ports, free_ports
from local import venvs
from local.shell import Failure, run, say

if TYPE_CHECKING:
    from bench.serving.clients import Client
    from bench.serving.machine import Series
    from bench.serving.models import Model
    from bench.serving.servers import Server

LOGS = Path("build/bench/logs")
WARM_UP_S = 1
LIMIT_S = 0.5
# For starting and ending servers and clients, spread over the loads.
OVERHEAD_S = 1
ANY_CORE = machine.Cores()


@dataclass(frozen=True)
class Plan:
    """What to measure, and how long: seconds of load for each figure, in each of so many rounds."""

    series: tuple[Series, ...]
    models: tuple[str, ...]
    servers: tuple[Server, ...]
    connections: tuple[int, ...]
    seconds: int
    rounds: int


def measure(plan: Plan, results: Results, keep: Callable[[], None]) -> None:
    """Measures all of it; `keep` is called whenever there is more that a later failure must not lose."""
    served = [models.prepare(name) for name in plan.models]
    pairs = [(series, model) for series in plan.series for model in served]
    for series, model in pairs:
        results.forget(series.name, model.name)
        results.days[f"{series.name}/{model.name}"] = datetime.now(UTC).date().isoformat()
    servers = [server for server in plan.servers if _is_installed(server, pairs, results)]
    say(f"about {_minutes(plan, served, servers):.0f} minutes to go")
    for number in range(1, plan.rounds + 1):
        for series, model in pairs:
            say(f"round {number} of {plan.rounds}, {series.name}, {model.name}")
            results.limits += limits(series, model)
            for server in servers:
                with _noting(results, series, model, server.name):
                    _observe_if_it_starts(server, series, model, plan, results)
                keep()


def _minutes(plan: Plan, served: list[Model], servers: list[Server]) -> float:
    """How long it takes, near enough."""
    loads = sum(len(server.clients(model, Ports(0, 0, 0), ANY_CORE)) for server in servers for model in served)
    load_s = len(plan.connections) * (WARM_UP_S + plan.seconds + OVERHEAD_S)
    return len(plan.series) * plan.rounds * loads * load_s / 60


def _is_installed(server: Server, pairs: list[tuple[Series, Model]], results: Results) -> bool:
    try:
        results.versions[server.name] = server.versions()
    except Failure as failure:
        say(f"  {server.name} cannot be installed: {failure}")
        results.missing += [Missing(series.name, model.name, server.name, str(failure)) for series, model in pairs]
        return False
    return True


def _observe_if_it_starts(server: Server, series: Series, model: Model, plan: Plan, results: Results) -> None:
    try:
        observe(server, series, model, plan, results)
    except Ended as failure:
        # Triton's processes race when they start, and sometimes lose.
        say(f"  {server.name}, once more: {failure}")
        observe(server, series, model, plan, results)


def observe(server: Server, series: Series, model: Model, plan: Plan, results: Results) -> None:
    """Starts a server and loads it in each of its protocols. Raises Failure or OSError where it never answers."""
    ports = free_ports()
    clients = server.clients(model, ports, series.client)
    first = next(iter(clients.values()))
    log = LOGS / f"{series.name}-{model.name}-{server.name}.log"
    with running(server.command(model, ports, series.workers), series.server, log, first.check) as up:
        for protocol, client in clients.items():
            with _noting(results, series, model, f"{server.name}, {protocol}"):
                for connections in plan.connections:
                    done = loaded(up.pid, client, connections, plan.seconds)
                    load = (series.name, model.name, server.name, protocol, connections)
                    results.runs.append(Run(*load, **asdict(done)))
                    say(f"  {server.name} {protocol} c{connections}: {done}")
        used = machine.usage(up.pid)
    results.lives.append(Life(series.name, model.name, server.name, up.start_s, used.rss_mb, used.pss_mb))


@contextmanager
def _noting(results: Results, series: Series, model: Model, what: str) -> Iterator[None]:
    """Notes what fails in the block, so that everything else goes on."""
    try:
        yield
    except (Failure, OSError) as failure:
        say(f"  {what}: {failure}")
        results.missing.append(Missing(series.name, model.name, what, str(failure)))


@dataclass(frozen=True)
class Done:
    """What one load showed."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    failures: int
    others: float

    def __str__(self) -> str:
        failed = f", {self.failures} FAILED" if self.failures else ""
        disturbed = f", others took {self.others:.1f} cores" if self.others > machine.QUIET_CORES else ""
        return (
            f"{self.rate:,.0f}/s, p50 {self.p50_ms:.3f} ms, p99 {self.p99_ms:.3f} ms, "
            f"{1000 * self.cpu_ms:,.1f} µs of CPU{failed}{disturbed}"
        )


def loaded(pid: int, client: Client, connections: int, seconds: int) -> Done:
    """Checks the answer, warms up, loads, and checks again. Raises Failure or OSError where a check fails."""
    client.check()
    client.drive(connections, WARM_UP_S)
    before = machine.moment(pid)
    load = client.drive(connections, seconds)
    spent = machine.moment(pid).since(before)
    client.check()
    failures = load.failures or connections * (not load.requests)
    cpu_ms = 1000 * spent.server_s / max(1, load.requests)
    return Done(load.rate, load.p50_ms, load.p99_ms, cpu_ms, failures, spent.other_cores)


def limits(series: Series, model: Model, seconds: float = LIMIT_S) -> list[Limit]:
    """What ONNX Runtime alone does on the server's cores. Raises Failure."""
    python = venvs.python(OURS.requirements)
    with tempfile.NamedTemporaryFile(suffix=".npy") as row:
        np.save(row.name, model.row, allow_pickle=True)
        limit = (python, "-m", "bench.serving.limit", model.path, row.name)
        given = (f"--threads={series.workers}", f"--seconds={seconds}")
        told = run(*series.server.command, *limit, *given, env={"PYTHONPATH": str(ROOT)})
    return [Limit(series.name, model.name, **one) for one in json.loads(told)]
