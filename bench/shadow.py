"""What shadow traffic costs users: ``python -m bench.shadow``.

Servers of the same model that mirror none, a tenth and all of their requests to a server of another version are
asked in turn, at a rate well below what they can do, each from the same client. A second one that mirrors nothing
tells how much is noise, and rounds in which other processes took much of the machine do not count. Servers that
are asked run on one core, and the client and the server they mirror to on another, as the latter is on another
machine in a cluster.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from bench.load import Outcome, offer
from bench.serving import machine
from bench.serving.report import number, table
from local.shell import Failure
from samples.claims import classifier, texts
from tests.support.server_process import ServerProcess, serving

MODEL = "claims"
SHARES = {"nothing": 0, "nothing, again": 0, "10 %": 10, "100 %": 100}
BASE = "nothing"
SEED, CLAIMS = 3, {"1": 100, "2": 1000}
COLUMNS = ("mirrors", "p50 ms", "÷ nothing", "p99 ms", "÷ nothing", "CPU ms", "÷ nothing", "compared", "dropped")
ANSWERS, COPIES = "modelserver_mirror_answers_total", "modelserver_mirrored_requests_total"


@dataclass(frozen=True)
class Load:
    """Some seconds of load: what became of it, the server's seconds of CPU, and the cores that others took."""

    outcome: Outcome
    cpu_s: float
    other_cores: float


Round = dict[str, Load]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="that count (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2, help="of load on each server in a round (%(default)s)")
    parser.add_argument("--rate", type=float, default=200, help="requests per second (%(default)s)")
    parser.add_argument("--texts", type=int, default=1, help="in a request (%(default)s)")
    parser.add_argument("--others", type=float, default=0.3, help="cores that others may take (%(default)s)")
    parser.add_argument("--minutes", type=float, default=30, help="and then it ends anyway (%(default)s)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as asked:
        done = asyncio.run(rounds(asked, args))
        quiet = [round_ for round_ in done if others(round_) <= args.others]
        if not quiet:
            raise Failure(f"in each of {len(done)} rounds others took more than {args.others:g} cores")
        print(f"{len(quiet)} of {len(done)} rounds of {args.seconds:g} s count,", end=" ")
        print(f"{args.rate:g} requests/s of {args.texts} texts; others took {args.others:g} cores at most.\n")
        print(table(COLUMNS, (row(name, quiet, server) for name, server in asked.items())))


async def rounds(asked: Mapping[str, ServerProcess], args: argparse.Namespace) -> list[Round]:
    """Measure until enough rounds count. The first never does: in it is what is done only once."""
    order = deque(asked.items())
    done: list[Round] = []
    await one_round(order, args)
    until = time.monotonic() + 60 * args.minutes
    while sum(others(round_) <= args.others for round_ in done) < args.rounds and time.monotonic() < until:
        order.rotate()
        done.append(await one_round(order, args))
    return done


def others(round_: Round) -> float:
    """The most cores that other processes took meanwhile."""
    return max(load.other_cores for load in round_.values())


@contextmanager
def servers(folder: Path) -> Iterator[dict[str, ServerProcess]]:
    """The servers to ask, by what they mirror."""
    first, *last = sorted(os.sched_getaffinity(0))
    if not last:
        raise Failure("this takes two cores")
    archive = texts.write(max(CLAIMS.values()), np.random.default_rng(SEED))
    for version, count in CLAIMS.items():
        onnx.save(classifier.train(archive[:count], int(version)), folder / f"{version}.onnx")
    os.sched_setaffinity(0, {first})  # what a process starts is where it is
    with ExitStack() as stack:
        canary = stack.enter_context(serving(f"--model={MODEL}={folder / '2.onnx'}", "--threads=1"))
        os.sched_setaffinity(0, {last[-1]})
        found = {name: stack.enter_context(stable(folder, canary.url, share)) for name, share in SHARES.items()}
        os.sched_setaffinity(0, {first})
        yield found


def stable(folder: Path, mirror: str, percent: int) -> AbstractContextManager[ServerProcess]:
    """Return a server of version 1 that mirrors so much."""
    settings = folder / f"{percent}.json"
    settings.write_text(json.dumps({"mirror": {"url": mirror, "percent": percent}}))
    return serving(f"--model={MODEL}={folder / '1.onnx'}", "--threads=1", f"--live-settings={settings}")


async def one_round(asked: Iterable[tuple[str, ServerProcess]], args: argparse.Namespace) -> Round:
    """Ask one server after the other."""
    return {name: await load(server, args) for name, server in asked}


async def load(server: ServerProcess, args: argparse.Namespace) -> Load:
    """Ask a server for some seconds."""
    body = ["a car hit my parked car"] * args.texts
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(args.seconds, stop.set)
    before, worked = machine.moment(os.getpid()), machine.cpu_seconds(server.process.pid)
    outcome = await offer(server.url, MODEL, body, rate_per_s=args.rate, keep_alive=True, stop=stop)
    worked, past = machine.cpu_seconds(server.process.pid) - worked, machine.moment(os.getpid()).since(before)
    if outcome.failures:
        raise Failure(str(outcome))
    return Load(outcome, worked, past.other_cores)


def row(name: str, done: list[Round], server: ServerProcess) -> list[str]:
    """What came of one server."""
    ours, base = figures(name, done), figures(BASE, done)
    cells = [cell for our, its in zip(ours, base, strict=True) for cell in (number(our), number(our / its))]
    dropped = int(server.metric(f'{COPIES}{{outcome="dropped"}}') or 0)
    return [name, *cells, str(counted(server, ANSWERS)), str(dropped)]


def figures(name: str, done: list[Round]) -> tuple[float, float, float]:
    """The median, the 99th percentile and the CPU of all requests to one server, in milliseconds."""
    loads = [round_[name] for round_ in done]
    together = Outcome(latencies_s=[latency for load in loads for latency in load.outcome.latencies_s])
    cpu_ms = 1000 * sum(load.cpu_s for load in loads) / sum(load.outcome.sent for load in loads)
    return together.quantile_ms(0.5), together.quantile_ms(0.99), cpu_ms


def counted(server: ServerProcess, name: str) -> int:
    """The sum of all series of a counter."""
    lines = server.client.get("/metrics").text.splitlines()
    return sum(int(float(line.rpartition(" ")[2])) for line in lines if line.startswith(name))


if __name__ == "__main__":
    main()
