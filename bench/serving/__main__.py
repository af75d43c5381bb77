"""The command line: ``python -m bench.serving --help``."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from bench.serving import machine, models, report, results
from bench.serving.series import Plan, measure
from bench.serving.servers import SERVERS
from local.shell import Failure, say

T = TypeVar("T")
KEPT = Path("build/bench/serving.json")
PAGE = Path("docs/benchmarks.md")


def main() -> None:
    """Measures what is asked for, and writes the page from all that is known."""
    args = _parser().parse_args()
    known = results.load(args.results)
    try:
        if not args.only_report:
            _measure(args, known)
    except Failure as failure:
        sys.exit(f"error: {failure}")
    args.page.write_text(report.rendered(known))
    say(f"wrote {args.page}")


def _measure(args: argparse.Namespace, known: results.Results) -> None:
    if not shutil.which("wrk"):
        raise Failure("wrk is not installed: apt-get install wrk")
    plan = Plan(args.series, args.models, args.servers, args.connections, args.seconds, args.rounds)
    known.machine = machine.facts()
    measure(plan, known, lambda: known.save(args.results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=__doc__)
    add = parser.add_argument
    names = {name: name for name in models.MODELS}
    add("--series", type=_among(machine.SERIES), default=",".join(machine.SERIES), help="%(default)s")
    add("--models", type=_among(names), default=",".join(names), help="%(default)s")
    add("--servers", type=_among(SERVERS), default=",".join(SERVERS), help="%(default)s")
    add("--connections", type=_numbers, default="1,8,64", help="%(default)s")
    add("--seconds", type=int, default=5, help="of load for each figure, %(default)s")
    add("--rounds", type=int, default=3, help="%(default)s")
    add("--results", type=Path, default=KEPT, help="where figures are kept, %(default)s; those of others stay")
    add("--page", type=Path, default=PAGE, help="where the tables go, %(default)s")
    add("--only-report", action="store_true", help="measure nothing, write the page from what is kept")
    return parser


def _among(choices: Mapping[str, T]) -> Callable[[str], tuple[T, ...]]:
    def chosen(text: str) -> tuple[T, ...]:
        try:
            return tuple(choices[name] for name in text.split(","))
        except KeyError as error:
            raise argparse.ArgumentTypeError(f"there is no {error}, only {', '.join(choices)}") from None

    return chosen


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


if __name__ == "__main__":
    main()
