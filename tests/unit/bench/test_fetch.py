"""What the fetcher's benchmark tells of its rounds, and the relay that it counts with."""

from __future__ import annotations

import socket
from dataclasses import replace
from threading import Thread

import pytest

from bench.fetch import Results, Round, lines, relay, told

SIZE = 1_000_000_000
FAST = Round(
    plain_s=2.0, fetcher_s=2.5, peak_mib=60.0, killed_bytes=510_000_000, second_bytes=500_000_000, others=0
)
SLOW = replace(FAST, plain_s=8.0, fetcher_s=4.0)


def measured(*rounds: Round) -> dict[str, tuple[str, str]]:
    return {what: (value, met) for what, _, value, met in lines(Results(SIZE, list(rounds)))}


def test_the_ratio_is_that_of_the_medians() -> None:
    found = measured(FAST, SLOW, FAST)
    assert found["plain download, MB/s"] == ("500", "")
    assert found["fetcher, MB/s"] == ("400", "")
    assert found["fetcher ÷ plain"] == ("0.800", "yes")


def test_a_slow_fetcher_misses_its_target() -> None:
    assert measured(replace(FAST, fetcher_s=2.6))["fetcher ÷ plain"] == ("0.769", "**no**")


def test_the_worst_round_counts_for_memory() -> None:
    name = "peak memory of the fetcher, MiB"
    assert measured(FAST, FAST)[name] == ("60.0", "yes")
    assert measured(FAST, replace(FAST, peak_mib=200.0), FAST)[name] == ("200", "**no**")


def test_the_worst_round_counts_for_what_is_fetched_again() -> None:
    second, both = "killed at half: % of the file in the second run", "killed at half: % of the file in both runs"
    found = measured(FAST, FAST)
    assert (found[second], found[both]) == (("50.0", "yes"), ("101", ""))
    assert measured(FAST, replace(FAST, second_bytes=SIZE))[second] == ("100", "**no**")


def test_the_table_has_a_line_for_each_figure() -> None:
    assert len(told(Results(SIZE, [FAST])).splitlines()) == 2 + len(lines(Results(SIZE, [FAST])))


@pytest.mark.timeout(20)
def test_the_relay_passes_everything_on_and_counts_what_comes_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=answer, args=(server,), daemon=True).start()
        port = server.getsockname()[1]
        with relay(port) as between, socket.create_connection(("127.0.0.1", between.port)) as client:
            client.sendall(b"hello")
            got = b"".join(iter(lambda: client.recv(1024), b""))
    assert got == b"hello" * 1000
    assert between.passed == 5000


def answer(server: socket.socket) -> None:
    peer, _ = server.accept()
    with peer:
        peer.sendall(peer.recv(5) * 1000)
