"""How often the judge of a canary is right: ``python -m bench.analysis``; the same numbers each time.

Whole rollouts are simulated on the shipped judge: two steps, each with nine early looks and a verdict at its end,
as `pause: 5m` and a look every 30 s make them. Requests are bad independently of each other. Beside it is what a
plain limit on the rate would have done, asked at the end of each step or at every look.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import floor, log1p
from random import Random
from statistics import median

from bench.serving.report import table
from modelfleet.core.analysis import Criteria, Outcome, Sample, judge

LOOKS = 10
STEPS = 2
TIMES = 4
"""So many times the canary's requests are the stable pods'."""
BAKE_LOOKS = 30
HEALTHY, LIMIT = 0.005, 0.01
RATES = (HEALTHY, LIMIT, 0.03, 0.05, 0.1)
REQUESTS = (50, 100, 200, 500, 1000)
ERRORS = Criteria(max_error_rate=LIMIT)
LATENCY = Criteria(max_latency_p99_s=0.25)
BOTH = Criteria(max_error_rate=LIMIT, max_latency_p99_s=0.25)
COLUMNS = ("bad", "canary requests in a step", "taken back", "held", "passed", "requests until taken back")
BAKED = ("bad", "requests in a bake", "taken back", "requests until taken back")
PLAIN = ("plain limit", "plain limit, every look")


@dataclass(frozen=True)
class Rollout:
    """How a rollout ended, after how many canary requests, and whether a plain limit would have taken it back."""

    outcome: Outcome
    requests: int
    plain: bool
    plain_looks: bool


@dataclass(frozen=True)
class World:
    """What is true: the share of bad requests of the canary, and of the stable pods if there are any."""

    canary: float
    requests: int
    criteria: Criteria
    stable: float | None = HEALTHY
    looks: int = LOOKS


def binomial(random: Random, trials: int, chance: float) -> int:
    """How many of the trials hit; drawn by the gaps between hits, for hits are few."""
    hits, position = 0, 0
    while (position := position + 1 + floor(log1p(-random.random()) / log1p(-chance))) <= trials:
        hits += 1
    return hits


def window(random: Random, world: World, requests: int, rate: float) -> list[Sample]:
    """What some pods have answered at each look; of what nobody asks for, nothing is bad."""
    limits = world.criteria.max_error_rate, world.criteria.max_latency_p99_s
    each = requests // world.looks
    bad = ([0 if limit is None else binomial(random, each, rate) for limit in limits] for _ in range(world.looks))
    return list(accumulate((Sample(each, *counts) for counts in bad), _together))


def step(random: Random, world: World) -> Rollout:
    """One step from its begin to its verdict."""
    canary = window(random, world, world.requests, world.canary)
    stable: list[Sample] | list[None] = [None] * world.looks
    if world.stable is not None:
        stable = window(random, world, world.requests * TIMES, world.stable)
    above = list(map(_is_above, canary))
    for number, (ours, theirs) in enumerate(zip(canary, stable, strict=True), 1):
        judgement = judge(ours, theirs, world.criteria, early=number < world.looks or theirs is None)
        if judgement.outcome is Outcome.FAIL:
            break
    return Rollout(judgement.outcome, ours.requests, above[-1], any(above))


def rollout(random: Random, world: World, steps: int) -> Rollout:
    """All steps, or those until one does not pass. The plain limit sees all of them in any case."""
    done = [step(random, world) for _ in range(steps)]
    last = next((n for n, ended in enumerate(done) if ended.outcome is not Outcome.PASS), steps - 1)
    requests = sum(ended.requests for ended in done[: last + 1])
    return Rollout(done[last].outcome, requests, any(d.plain for d in done), any(d.plain_looks for d in done))


def measured(world: World, number: int, steps: int = STEPS) -> list[Rollout]:
    """Many rollouts in one world."""
    random = Random(f"{world}")
    return [rollout(random, world, steps) for _ in range(number)]


def row(world: World, done: list[Rollout]) -> list[str]:
    """How many ended how."""
    caught = [ended.requests for ended in done if ended.outcome is Outcome.FAIL]
    held = sum(ended.outcome is Outcome.INCONCLUSIVE for ended in done)
    parts = len(caught), held, len(done) - len(caught) - held
    shown = [_percent(part, len(done)) for part in parts]
    return [f"{100 * world.canary:g} %", str(world.requests), *shown, f"{median(caught):.0f}" if caught else "-"]


def plain(done: list[Rollout]) -> list[str]:
    """How many a plain limit would have taken back."""
    counts = sum(d.plain for d in done), sum(d.plain_looks for d in done)
    return [_percent(count, len(done)) for count in counts]


def canaries(criteria: Criteria, number: int) -> str:
    """The table of canaries that are worse and worse, beside healthy stable pods."""
    worlds = [World(rate, requests, criteria) for rate in RATES for requests in REQUESTS]
    ended = ((world, measured(world, number)) for world in worlds)
    return table([*COLUMNS, *PLAIN], (row(world, done) + plain(done) for world, done in ended))


def others(number: int) -> Iterator[str]:
    """What else may happen, a title and a table each."""
    worlds = [World(HEALTHY, requests, BOTH) for requests in REQUESTS]
    yield "## Healthy, both limits\n"
    yield table(COLUMNS, (row(world, measured(world, number)) for world in worlds))
    worlds = [World(rate, requests, ERRORS, stable=rate) for rate in RATES[1:] for requests in (200, 1000)]
    yield "## Stable pods that are as bad as the canary\n"
    yield table(COLUMNS, (row(world, measured(world, number)) for world in worlds))
    worlds = [World(rate, requests, ERRORS, None, BAKE_LOOKS) for rate in RATES for requests in (300, 3000)]
    baked = (row(world, measured(world, number, steps=1)) for world in worlds)
    yield f"## A bake: {BAKE_LOOKS} early looks, nothing to compare with, and what is not taken back is good\n"
    yield table(BAKED, ([*shown[:3], shown[5]] for shown in baked))


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=10_000, help="for each row (default: %(default)s)")
    number = parser.parse_args().rollouts
    print(f"{number} rollouts a row; the limit is 1 %; stable pods: 0.5 % bad, {TIMES} times the requests.\n")
    print("## Errors\n", canaries(ERRORS, number), "## Slow requests\n", canaries(LATENCY, number), sep="\n")
    print(*others(number), sep="\n")


def _together(before: Sample, more: Sample) -> Sample:
    return Sample(before.requests + more.requests, before.errors + more.errors, before.slow + more.slow)


def _is_above(sample: Sample) -> bool:
    return max(sample.errors, sample.slow) > LIMIT * sample.requests


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if 0 < part < whole else f"{100 * part // whole} %"


if __name__ == "__main__":
    main()
