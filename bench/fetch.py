"""How fast the fetcher brings a large model, and how much comes twice if it is killed: ``python -m bench.fetch``.

A real Azurite holds one file. In each round a process that only downloads it is measured beside the fetcher, which
also hashes, syncs and publishes; then a fetcher is killed when half of the file is staged, and started again.
What counts are ratios: Azurite is on the same machine, and takes a core of it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

from azure.storage.blob import BlobServiceClient

from bench.serving import machine
from bench.serving.process import HOST, Command, free_port, running
from bench.serving.report import number, table
from local import storage
from local.shell import Failure, say, wait, write
from modelserver.fetch.listing import listing_of
from modelserver.fetch.source import RemoteFile

LOGS = Path("build/bench/logs")
RESULTS = Path("build/bench/fetch.json")
SERVER = Path(__file__).parents[1] / "server"
MB, MIB = 1_000_000, 1024**2
# At one time: in Azurite, staged and in another process's page cache.
COPIES = 4
BLOCK_BYTES, PIECE_BYTES = 4 * MIB, MIB // 4
CONTAINER, NAME = "models", "model.onnx"
# No name that is looked up: Azurite itself is the proxy that the clients are told to use.
URI = f"http://{storage.ACCOUNT}.blob.bench:{storage.PORT}"
ANY_CORE = machine.Cores()
POLL_S = 0.01
HALF_S = 600
PLAIN = """\
import sys
import obstore
from obstore.store import AzureStore

endpoint, account, key, container, name, file = sys.argv[1:]
client = {"allow_http": True}
store = AzureStore(container, endpoint=endpoint, account_name=account, account_key=key, client_options=client)
with open(file, "wb") as copy:
    for chunk in obstore.get(store, name).stream(4 * 1024 * 1024):
        copy.write(chunk)
"""


@dataclass(frozen=True)
class Round:
    """What a round showed: seconds, the fetcher's peak, and the bytes that came to the killed one and the next."""

    plain_s: float
    fetcher_s: float
    peak_mib: float
    killed_bytes: int
    second_bytes: int
    others: float  # cores that were busy with something else


@dataclass(frozen=True)
class Results:
    """All rounds with a file of so many bytes."""

    size: int
    rounds: list[Round]

    def rate(self, seconds: Callable[[Round], float]) -> float:
        """MB per second in the median."""
        return self.size / MB / statistics.median(map(seconds, self.rounds))

    def share(self, count: Callable[[Round], int]) -> float:
        """The largest share of the file, in percent."""
        return 100 * max(map(count, self.rounds)) / self.size


@dataclass(frozen=True)
class Model:
    """The file as it is in storage."""

    port: int
    size: int
    sha256: str
    listing: str


def main() -> None:
    """Measures, and prints a table; ends with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000, help="default %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default %(default)s")
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            results = measure(Path(folder), args.megabytes * MB, args.rounds)
    except Failure as failure:
        sys.exit(f"error: {failure}")
    write(RESULTS, json.dumps({"machine": machine.facts(), **asdict(results)}, indent=1) + "\n")
    print(told(results))
    sys.exit(any(met == "**no**" for *_, met in lines(results)))


def measure(folder: Path, size: int, rounds: int) -> Results:
    """Measures round after round. Raises Failure."""
    if shutil.disk_usage(folder).free < COPIES * size:
        raise Failure(f"{folder} has no room for {COPIES} times the file")
    secret = folder / "secret"
    write(secret / "accountKey", storage.KEY)
    with azurite(folder / "azurite") as (pid, port):
        say(f"uploading {size // MB:,} MB")
        model = upload(port, size)
        return Results(size, [one_round(folder, pid, model, count) for count in range(1, rounds + 1)])


@contextmanager
def azurite(folder: Path) -> Iterator[tuple[int, int]]:
    """A running Azurite: its process and port."""
    port = free_port()
    flags = ("--silent", "--disableTelemetry", "--skipApiVersionCheck")
    words = ("node", str(storage.program()), "--blobPort", str(port), "--location", str(folder), *flags)
    command = Command(words, {"AZURITE_ACCOUNTS": f"{storage.ACCOUNT}:{storage.KEY}"})

    def check() -> None:
        socket.create_connection((HOST, port)).close()

    with running(command, ANY_CORE, LOGS / "azurite.log", check, patience_s=1) as up:
        yield up.pid, port


def upload(port: int, size: int) -> Model:
    """Writes random bytes, block by block."""
    digest = hashlib.sha256()

    def blocks() -> Iterator[bytes]:
        for start in range(0, size, BLOCK_BYTES):
            block = secrets.token_bytes(min(BLOCK_BYTES, size - start))
            digest.update(block)
            yield block

    url = f"http://{HOST}:{port}/{storage.ACCOUNT}"
    with BlobServiceClient(url, credential=storage.KEY) as service:
        container = service.create_container(CONTAINER)
        blob = container.upload_blob(NAME, blocks(), length=size)
        etag = blob.get_blob_properties().etag
    return Model(port, size, digest.hexdigest(), listing_of([RemoteFile(NAME, NAME, size, etag)]))


def one_round(folder: Path, azurite_pid: int, model: Model, count: int) -> Round:
    """Measures each once. Raises Failure."""
    before = machine.moment(azurite_pid)
    plain_s = plain(folder / "plain", model)
    fetcher_s, peak_mib = fetched(folder / "fetched", model)
    others = machine.moment(azurite_pid).since(before).other_cores
    killed, second = interrupted(folder / "interrupted", model)
    done = Round(plain_s, fetcher_s, peak_mib, killed, second, others)
    say(
        f"round {count}: plain {plain_s:.1f} s, fetcher {fetcher_s:.1f} s, {peak_mib:.0f} MiB; killed after "
        f"{killed / MB:,.0f} MB, then {second / MB:,.0f} MB; others took {others:.1f} cores"
    )
    return done


def plain(folder: Path, model: Model) -> float:
    """How many seconds a download takes that does nothing else."""
    account = (URI, storage.ACCOUNT, storage.KEY)
    with place(folder):
        words = (sys.executable, "-c", PLAIN, *account, CONTAINER, NAME, str(folder / NAME))
        seconds, _ = finished(start(words, model.port))
        if (folder / NAME).stat().st_size != model.size:
            raise Failure("the plain download is not whole")
    return seconds


def fetched(folder: Path, model: Model) -> tuple[float, float]:
    """The seconds and peak memory of the fetcher, as a pod runs it."""
    with place(folder):
        seconds, peak_mib = finished(start(fetcher(folder, model), model.port))
        check(folder, model)
    return seconds, peak_mib


def interrupted(folder: Path, model: Model) -> tuple[int, int]:
    """The bytes that came to a fetcher until it was killed at half of the file, and to the one after it."""
    staged, half = folder / f".{CONTAINER}.fetch/files" / NAME, model.size / 2
    with place(folder):
        with relay(model.port) as first:
            process = start(fetcher(folder, model), first.port)
            try:
                wait("half of the file", lambda: process.poll() is not None or _size(staged) >= half, HALF_S)
            finally:
                process.kill()
                process.wait()
        if (folder / CONTAINER).exists():
            raise Failure("the fetcher was done before it could be killed: take more --megabytes")
        with relay(model.port) as second:
            finished(start(fetcher(folder, model), second.port))
        check(folder, model)
    return first.passed, second.passed


def fetcher(folder: Path, model: Model) -> tuple[str, ...]:
    """The command of the init container."""
    return (
        *(sys.executable, "-m", "modelserver.fetch"),
        *("--uri", f"{URI}/{CONTAINER}/{NAME}"),
        *("--to", str(folder / CONTAINER)),
        *("--listing", model.listing),
        *("--credentials", str(folder.parent / "secret")),
        *("--termination-log", str(folder / "ended")),
    )


def check(folder: Path, model: Model) -> None:
    """Raises Failure unless the fetcher published what was uploaded."""
    ended = json.loads((folder / "ended").read_text())
    if ended.get("sha256") != model.sha256 or (folder / CONTAINER / NAME).stat().st_size != model.size:
        raise Failure(f"the fetcher ended with {ended}")


@contextmanager
def place(folder: Path) -> Iterator[None]:
    """An empty folder that is gone afterwards. Nothing that others wrote is still on its way to the disk."""
    os.sync()
    folder.mkdir()
    try:
        yield
    finally:
        shutil.rmtree(folder)


def start(words: tuple[str, ...], port: int) -> subprocess.Popen[bytes]:
    """Starts a program that reaches nothing but this port."""
    environment = {**os.environ, "http_proxy": f"http://{HOST}:{port}", "PYTHONPATH": str(SERVER)}
    with (LOGS / "fetch.log").open("ab") as log:
        return subprocess.Popen(words, env=environment, stdout=log, stderr=log)


def finished(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """How many seconds the process ran from now on, and its peak memory in MiB. Raises Failure."""
    started, peak_mib = time.monotonic(), 0.0
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL_S)
            break
        peak_mib = _peak_mib(process.pid) or peak_mib
    if process.returncode:
        raise Failure(f"{process.args!r} ended with {process.returncode}; see {LOGS}/fetch.log")
    return time.monotonic() - started, peak_mib


class Relay(ThreadingTCPServer):
    """Passes connections on to a port of this machine, and counts the bytes that come back."""

    daemon_threads = True

    def __init__(self, upstream: int) -> None:
        super().__init__((HOST, 0), _Passing)
        self.upstream, self.passed = upstream, 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.socket.getsockname()[1])


class _Passing(BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        with suppress(OSError), socket.create_connection((HOST, self.server.upstream)) as upstream:
            Thread(target=self._ask, args=(upstream,), daemon=True).start()
            while piece := upstream.recv(PIECE_BYTES):
                self.request.sendall(piece)
                self.server.passed += len(piece)

    def _ask(self, upstream: socket.socket) -> None:
        with suppress(OSError):
            while piece := self.request.recv(PIECE_BYTES):
                upstream.sendall(piece)
            upstream.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay(upstream: int) -> Iterator[Relay]:
    """A relay that takes connections until the block ends."""
    with Relay(upstream) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()


def told(results: Results) -> str:
    """The table."""
    return table(("what", "target", "measured", "met"), lines(results))


def lines(results: Results) -> list[tuple[str, str, str, str]]:
    """What was measured, the targets, and whether they are met."""
    plain, fetcher = results.rate(lambda one: one.plain_s), results.rate(lambda one: one.fetcher_s)
    ratio, peak_mib = fetcher / plain, max(one.peak_mib for one in results.rounds)
    second = results.share(lambda one: one.second_bytes)
    both = results.share(lambda one: one.killed_bytes + one.second_bytes)
    return [
        ("plain download, MB/s", "", number(plain), ""),
        ("fetcher, MB/s", "", number(fetcher), ""),
        ("fetcher ÷ plain", "≥ 0.8", number(ratio), _yes(ratio >= 0.8)),
        ("peak memory of the fetcher, MiB", "< 200", number(peak_mib), _yes(peak_mib < 200)),
        ("killed at half: % of the file in the second run", "≤ 60", number(second), _yes(second <= 60)),
        ("killed at half: % of the file in both runs", "", number(both), ""),
    ]


def _yes(is_met: bool) -> str:
    return "yes" if is_met else "**no**"


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _peak_mib(pid: int) -> float:
    """The most memory that was resident since the program began, or 0 when it has ended."""
    with suppress(OSError):
        status = (machine.PROC / str(pid) / "status").read_text()
        return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)
    return 0


if __name__ == "__main__":
    main()
