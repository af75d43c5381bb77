"""Load at a constant rate: requests are sent when they are due, however long the earlier ones take.

A client that waits for each answer would slow down together with the server and hide an outage.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from time import perf_counter

import aiohttp

TIMEOUT_S = 10.0


@dataclass
class Outcome:
    """What became of the requests: answers by the version that gave them, and failures by their kind."""

    sent: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)

    @property
    def failures(self) -> int:
        """Return how many requests got anything but a 200."""
        return self.failed.total()

    def quantile_ms(self, share: float) -> float:
        """Return the latency that this share of the answers stayed below."""
        ordered = sorted(self.latencies_s)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def __str__(self) -> str:
        versions = ", ".join(f"{count} by version {version}" for version, count in sorted(self.answered.items()))
        failures = ", ".join(f"{count} {kind}" for kind, count in self.failed.items()) or "none"
        return f"{self.sent} requests: {versions or 'no answers'}; failed: {self.failures} ({failures})"


async def offer(
    url: str,
    model: str,
    texts: list[str],
    *,
    rate_per_s: float,
    keep_alive: bool,
    stop: asyncio.Event,
    host: str = "",
) -> Outcome:
    """Post inference requests at the rate until told to stop, then wait for the last answers.

    ``host`` is the host that they are for, where that is not the one that the URL names.
    """
    outcome = Outcome()
    headers = {"Host": host} if host else {}
    body = json.dumps({"inputs": [{"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}]})
    connector = aiohttp.TCPConnector(limit=0, force_close=not keep_alive)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session,
        asyncio.TaskGroup() as group,
    ):
        start = perf_counter()
        while not stop.is_set():
            group.create_task(_post(session, f"{url}/v2/models/{model}/infer", body, outcome))
            outcome.sent += 1
            due = start + outcome.sent / rate_per_s
            await asyncio.sleep(max(0.0, due - perf_counter()))
    return outcome


async def _post(session: aiohttp.ClientSession, url: str, body: str, outcome: Outcome) -> None:
    start = perf_counter()
    try:
        async with session.post(url, data=body) as response:
            answer = await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        outcome.failed[type(error).__name__] += 1
        return
    if response.status != 200:
        outcome.failed[f"HTTP {response.status}"] += 1
        return
    outcome.latencies_s.append(perf_counter() - start)
    outcome.answered[json.loads(answer).get("model_version", "?")] += 1


async def _run(args: argparse.Namespace) -> Outcome:
    stop = asyncio.Event()
    keep_alive = not args.new_connections
    load = asyncio.create_task(
        offer(args.url, args.model, [args.text], rate_per_s=args.rate, keep_alive=keep_alive, stop=stop)
    )
    await (asyncio.sleep(args.seconds) if args.seconds else _end_of_input())
    stop.set()
    return await load


async def _end_of_input() -> None:
    """Give back each line of the input, so that who sends one knows that the load has begun."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(line, end="", flush=True)


def main() -> None:
    """Send load from the command line; ends with 1 when a request failed."""
    parser = argparse.ArgumentParser(description="Post inference requests at a constant rate.")
    parser.add_argument("url", help="such as http://10.200.0.7")
    parser.add_argument("--model", default="claims")
    parser.add_argument("--text", default="a car hit my parked car")
    parser.add_argument("--rate", type=float, default=200, help="requests per second (default %(default)s)")
    parser.add_argument("--seconds", type=float, help="how long (until the end of its input by default)")
    parser.add_argument("--new-connections", action="store_true", help="a connection for each request")
    outcome = asyncio.run(_run(parser.parse_args()))
    print(outcome)
    print(f"p50 {outcome.quantile_ms(0.5):.1f} ms, p99 {outcome.quantile_ms(0.99):.1f} ms")
    sys.exit(outcome.failures > 0)


if __name__ == "__main__":
    main()
