"""Our server and the limit in ten seconds, for whoever tunes: ``python -m bench.serving.quick tiny``.

With ``--profile`` the functions are named that the event loop's thread spends its time in.
"""

from __future__ import annotations

import argparse
import pstats
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.serving import machine, models
from bench.serving.process import Command, running
from bench.serving.series import limits, loaded
from bench.serving.servers import OURS, ROOT, free_ports
from local.shell import Failure

if TYPE_CHECKING:
    from bench.serving.results import Limit

LOG = Path("build/bench/logs/quick.log")
PROFILE = Path("build/bench/quick.profile")
LIMIT_S = 0.1
FUNCTIONS = 40


def main() -> None:
    """Prints the limit, and then a line for each number of connections."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="tiny", choices=models.MODELS)
    parser.add_argument("--protocol", default="score", choices=OURS.protocols)
    parser.add_argument("--connections", type=numbers, default=(1, 8, 64))
    parser.add_argument("--series", default="pinned", choices=machine.SERIES)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--profile", action="store_true", help="name the dearest functions; everything is slower")
    args = parser.parse_args()
    try:
        measure(models.prepare(args.model), args)
    except Failure as failure:
        sys.exit(f"error: {failure}")


def measure(model: models.Model, args: argparse.Namespace) -> None:
    """Prints the results. Raises Failure when the server does not answer, or not rightly."""
    series = machine.SERIES[args.series]
    print(told(limits(series, model, LIMIT_S)), flush=True)
    ports = free_ports()
    clients = OURS.clients(model, ports, series.client)
    if not (client := clients.get(args.protocol)):
        raise Failure(f"{model.name} is not asked over {args.protocol}: take {', '.join(clients)}")
    command = OURS.command(model, ports, series.workers)
    if args.profile:
        command = profiled(command)
    # Only a profile needs a server that ends well.
    with running(command, series.server, LOG, client.check, patience_s=10 * args.profile) as up:
        print(f"started in {up.start_s:.2f} s, {machine.usage(up.pid).rss_mb:.0f} MB", flush=True)
        for count in args.connections:
            done = loaded(up.pid, client, count, args.seconds)
            print(f"c{count:<4}{done}", flush=True)
        print(f"{machine.usage(up.pid).rss_mb:.0f} MB afterwards", flush=True)
    if args.profile:
        pstats.Stats(str(PROFILE)).sort_stats("tottime").print_stats(FUNCTIONS)


def profiled(command: Command) -> Command:
    """The same server under a profiler."""
    python, _, *words = command.words
    path = {"PYTHONPATH": f"{command.environment['PYTHONPATH']}:{ROOT}"}
    return Command((python, "-m", "bench.serving.profiled", str(PROFILE), *words), {**command.environment, **path})


def told(found: list[Limit]) -> str:
    """The limit in a sentence."""
    alone = next(one.rate for one in found if one.rows == one.side_by_side == one.threads == 1)
    best = max(found, key=lambda one: one.rate)
    return (
        f"limit: {alone:,.0f}/s a row at a time ({1e6 / alone:.1f} µs), "
        f"{best.rate:,.0f}/s with {best.rows} rows a run, {best.side_by_side} at once, {best.threads} threads each"
    )


def numbers(text: str) -> tuple[int, ...]:
    """The numbers in `1,8,64`. Raises ValueError."""
    return tuple(map(int, text.split(",")))


if __name__ == "__main__":
    main()
