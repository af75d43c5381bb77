"""Users of an endpoint who ask at a constant rate: some keep their connections, some come and go."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import perf_counter

from bench.load import Outcome, offer

VISIT_S = 1.0
TEXT = "a car hit my parked car"


@dataclass
class Crowd:
    """What became of all requests, known when the crowd has gone."""

    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0

    @property
    def failures(self) -> int:
        return sum(outcome.failures for outcome in self.outcomes)

    @property
    def rate_per_s(self) -> float:
        """How many requests were sent in a second."""
        return sum(outcome.sent for outcome in self.outcomes) / self.seconds

    def versions(self) -> set[str]:
        """The versions that gave an answer."""
        return {version for outcome in self.outcomes for version in outcome.answered}

    def __str__(self) -> str:
        told = [str(outcome) for outcome in self.outcomes if outcome.failures]
        return "; ".join([f"{self.rate_per_s:.1f} requests/s for {self.seconds:.0f} s", *told])


@asynccontextmanager
async def asking(
    url: str, *, residents_per_s: float = 0, visitors_per_s: float = 0, strangers_per_s: float = 0
) -> AsyncIterator[Crowd]:
    """Load as long as the block lasts: residents keep their connections, visitors for a second, strangers for
    one request.
    """
    stop, crowd, start = asyncio.Event(), Crowd(), perf_counter()
    asked = [
        asyncio.create_task(_stay(url, residents_per_s, stop, keep_alive=True)),
        asyncio.create_task(_come_and_go(url, visitors_per_s, stop)),
        asyncio.create_task(_stay(url, strangers_per_s, stop, keep_alive=False)),
    ]
    try:
        yield crowd
    finally:
        stop.set()
        crowd.seconds = perf_counter() - start
        crowd.outcomes = [outcome for outcomes in await asyncio.gather(*asked) for outcome in outcomes]


async def _stay(url: str, rate_per_s: float, stop: asyncio.Event, *, keep_alive: bool) -> Iterable[Outcome]:
    if not rate_per_s:
        return []
    return [await offer(url, "claims", [TEXT], rate_per_s=rate_per_s, keep_alive=keep_alive, stop=stop)]


async def _come_and_go(url: str, rate_per_s: float, stop: asyncio.Event) -> Iterable[Outcome]:
    """Visits without a pause between them: the next does not wait for the answers that the last one waits for."""
    visits = []
    while rate_per_s and not stop.is_set():
        leave = asyncio.Event()
        visits.append(asyncio.create_task(_stay(url, rate_per_s, leave, keep_alive=True)))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), VISIT_S)
        leave.set()
    return [outcome for visit in await asyncio.gather(*visits) for outcome in visit]
