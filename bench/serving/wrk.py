"""Load from wrk, which sends requests over connections that stay open and measures the answers."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.shell import Failure, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.serving.exchanges import Exchange
    from bench.serving.machine import Cores

HERE = Path(__file__).parent
TIMEOUT_S = 10


@dataclass(frozen=True)
class Load:
    """What wrk saw: answers, their latencies, and how many were an error or never came."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds

    @property
    def failures(self) -> int:
        """Answers that were an error, and requests without an answer."""
        return self.refused + self.broken


def drive(url: str, exchange: Exchange, connections: int, seconds: int, cores: Cores) -> Load:
    """The load of one request, over and over. Raises Failure without wrk or a server."""
    with tempfile.NamedTemporaryFile() as body:
        body.write(exchange.body)
        body.flush()
        headers = "\n".join(f"{name}: {value}" for name, value in exchange.headers.items())
        given = {"BENCH_BODY": body.name, "BENCH_HEADERS": headers}
        return _run("post.lua", given, url + exchange.path, connections, seconds, cores)


def drive_mix(url: str, requests: Path, connections: int, seconds: int, cores: Cores) -> Load:
    """The load of the whole requests in the files that a list names, in turn. Raises Failure as `drive` does."""
    return _run("mix.lua", {"BENCH_LIST": str(requests)}, url, connections, seconds, cores)


def _run(script: str, given: Mapping[str, str], url: str, connections: int, seconds: int, cores: Cores) -> Load:
    amount = ("--threads=1", f"--connections={connections}", f"--duration={seconds}s", f"--timeout={TIMEOUT_S}s")
    wrk = (*cores.command, "wrk", *amount, "--latency", f"--script={HERE / script}", url)
    return parse(run(*wrk, env={"BENCH_TOLD": str(HERE / "told.lua"), **given}))


def parse(output: str) -> Load:
    """What the script says in the last line of wrk's output. Raises Failure where it says nothing."""
    last = output.strip().rpartition("\n")[2]
    try:
        return Load(**json.loads(last))
    except (ValueError, TypeError):
        raise Failure(f"the load ended without a result: {output.strip()[-500:]}") from None
