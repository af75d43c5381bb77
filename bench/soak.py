"""A day's requests in minutes, and whether memory stays flat: ``python -m bench.soak --requests 20000000``.

Several models in one server, every protocol, requests that are refused, connections that come and go. Ends with 1
when the server failed at a request (5xx), left one without an answer, or went on growing.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.serving import exchanges, machine, models, wrk
from bench.serving.clients import Client, GrpcClient
from bench.serving.exchanges import JSON, Exchange
from bench.serving.models import Model
from bench.serving.process import HOST, Command, running
from bench.serving.report import table
from bench.serving.servers import OURS, Ports, free_ports
from local.shell import Failure, say

LOG = Path("build/bench/logs/soak.log")
CONNECTIONS = 64
SLICE_S = 30
# gRPC goes before one slice in so many: its client is slow.
GRPC_EVERY, GRPC_CONNECTIONS, GRPC_S = 10, 4, 5
SETTLE_S = 0.5
# Between the middle and the end; more is growth.
GROWTH = 1.03
SEED = 3
ANY_CORE = machine.Cores()
COUNTED = re.compile(r'^modelserver_requests_total\{[^}]*code="(\d+)"[^}]*\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True)
class Sample:
    """The server at one moment, after so many answers."""

    seconds: float
    answers: int
    rss_mb: float
    files: int
    threads: int


def main() -> None:
    """Loads until so many requests are answered, tells how the server fared, and ends with 1 where it did not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000_000, help="default %(default)s")
    args = parser.parse_args()
    served = {name: models.prepare(name) for name in ("tiny", "text", "claim", "payload")}
    ports, mix = free_ports(), mixture(served)
    grpc = GrpcClient(ports.grpc, served["tiny"], ANY_CORE)

    def check() -> None:
        for model in served.values():
            exchanges.check(HOST, ports.http, scored(model), model.expected)

    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            running(command(served, ports), ANY_CORE, LOG, check) as up,
        ):
            asked_too_early = counted(ports.http)
            samples, broken = soak(up.pid, ports.http, grpc, written(mix, Path(folder)), args.requests)
            codes = counted(ports.http) - asked_too_early
    except Failure as failure:
        sys.exit(f"error: {failure}")
    print(told(samples))
    print("Answers by their code:", ", ".join(f"{code}: {count:,}" for code, count in sorted(codes.items())))
    sys.exit("; ".join(complaints(samples, codes, broken)) or 0)


def command(served: Mapping[str, Model], ports: Ports) -> Command:
    """How the server is started, with all of the models."""
    one = OURS.command(served["tiny"], ports, 1)
    more = (
        word for name, model in served.items() if name != "tiny" for word in ("--model", f"{name}={model.path}")
    )
    return replace(one, words=(*one.words, *more))


def mixture(served: Mapping[str, Model]) -> list[bytes]:
    """The requests, each as often as its share of a hundred or so says, in an order that is always the same."""
    tiny, text, claim, payload = (served[name] for name in ("tiny", "text", "claim", "payload"))
    shares = [
        (raw(scored(tiny)), 50),
        (raw(exchanges.v2(tiny, tiny.row)), 20),
        (raw(exchanges.binary(tiny, tiny.row)), 10),
        (raw(scored(text)), 6),
        (raw(exchanges.v2(text, text.row)), 4),
        (raw(exchanges.v2(claim, claim.row)), 1),
        (raw(exchanges.binary(payload, payload.row)), 1),
        (raw(replace(scored(tiny), headers={**JSON, "Connection": "close"})), 1),
        (raw(replace(scored(tiny), body=b'{"data": [[1, 2')), 1),
        (raw(replace(scored(tiny), body=b'{"data": [[1, 2, 3], [4]]}')), 1),
        (raw(replace(scored(tiny), path="/score?model_name=nobody")), 1),
        (raw(replace(exchanges.v2(tiny, tiny.row), path="/v2/models/tiny/versions/none/infer")), 1),
        (b"GET /v2/health/ready HTTP/1.1\r\nHost: soak\r\n\r\n", 1),
    ]
    requests = [request for request, share in shares for _ in range(share)]
    random.Random(SEED).shuffle(requests)
    return requests


def scored(model: Model) -> Exchange:
    """The exchange on /score that names the model, since there are several."""
    return replace(exchanges.score(model, model.row), path=f"/score?model_name={model.name}")


def raw(exchange: Exchange) -> bytes:
    """The request as it goes over the wire."""
    headers = {"Host": "soak", "Content-Length": str(len(exchange.body)), **exchange.headers}
    lines = [f"POST {exchange.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + exchange.body


def written(requests: Iterable[bytes], folder: Path) -> Path:
    """The list of the files in the folder that the requests are in, for wrk's script."""
    names: dict[bytes, Path] = {}
    order = []
    for request in requests:
        name = names.setdefault(request, folder / f"{len(names)}.http")
        name.write_bytes(request)
        order.append(f"{name}\n")
    (folder / "list").write_text("".join(order))
    return folder / "list"


def soak(pid: int, port: int, grpc: Client, requests: Path, wanted: int) -> tuple[list[Sample], int]:
    """Loads slice by slice until enough is answered; returns the samples and how many had no answer."""
    started, answers, broken = time.monotonic(), 0, 0
    samples: list[Sample] = []
    rate = 0.0
    while answers < wanted:
        if len(samples) % GRPC_EVERY == GRPC_EVERY - 1:
            answers += grpc.drive(GRPC_CONNECTIONS, GRPC_S).requests
        # Every sample follows on the same load, or the memory of one would be compared with that of another.
        seconds = math.ceil(min(SLICE_S, max(1, wanted - answers) / rate)) if rate else 1
        load = wrk.drive_mix(f"http://{HOST}:{port}", requests, CONNECTIONS, seconds, ANY_CORE)
        answers, broken, rate = answers + load.requests, broken + load.broken, load.rate
        samples.append(sample(pid, time.monotonic() - started, answers))
        say(f"{answers:,} of {wanted:,}, {load.rate:,.0f}/s, {samples[-1].rss_mb:.1f} MB")
    return samples, broken


def sample(pid: int, seconds: float, answers: int) -> Sample:
    """What the server's process holds once the connections of the last load are closed."""
    files, before = held(pid, "fd"), -1
    while files != before:
        time.sleep(SETTLE_S)
        files, before = held(pid, "fd"), files
    return Sample(seconds, answers, machine.usage(pid).rss_mb, files, held(pid, "task"))


def held(pid: int, kind: str) -> int:
    """How many open files (fd) or threads (task) the process has."""
    return len(list(Path(f"/proc/{pid}/{kind}").iterdir()))


def counted(port: int) -> Counter[str]:
    """How many answers the server has counted, by their code."""
    codes: Counter[str] = Counter()
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics") as page:
        for code, count in COUNTED.findall(page.read().decode()):
            codes[code] += int(float(count))
    return codes


def told(samples: list[Sample]) -> str:
    """The samples as a table, and the memory at the start, in the middle and at the end."""
    head = ("after s", "answers", "RSS MB", "open files", "threads")
    rows = [
        (f"{one.seconds:,.0f}", f"{one.answers:,}", f"{one.rss_mb:.1f}", str(one.files), str(one.threads))
        for one in samples
    ]
    start, middle, end = (one.rss_mb for one in (samples[0], samples[len(samples) // 2], samples[-1]))
    return (
        f"{table(head, rows)}\nRSS at the start {start:.1f} MB, in the middle {middle:.1f}, at the end {end:.1f}."
    )


def complaints(samples: list[Sample], codes: Mapping[str, int], broken: int) -> list[str]:
    """What is wrong, in sentences."""
    found = [f"{count:,} answers were {code}" for code, count in codes.items() if code.startswith("5")]
    if broken:
        found.append(f"{broken:,} requests had no answer")
    middle, end = samples[len(samples) // 2], samples[-1]
    if end.rss_mb > GROWTH * middle.rss_mb:
        found.append(f"memory grew from {middle.rss_mb:.1f} to {end.rss_mb:.1f} MB in the second half")
    if end.files > middle.files or end.threads > middle.threads:
        found.append("there are more open files or threads at the end than in the middle")
    return found


if __name__ == "__main__":
    main()
