"""More than there is room for: connections beyond the limit are turned away, and those within it are served."""

from __future__ import annotations

import resource
import socket
import struct
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.hostile.conftest import GOOD, settled
from tests.hostile.wire import Wire, request, told
from tests.support.server_process import ServerProcess, serving
from tests.support.until import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 200
HEALTH = request(method="GET", path="/v2/health/live")


@pytest.fixture(scope="module")
def server(models: list[str]) -> Iterator[ServerProcess]:
    """Takes LIMIT connections."""
    with serving(*models, "--max-body=8Mi", f"--max-connections={LIMIT}") as process:
        yield process


@contextmanager
def crowd(server: ServerProcess, size: int) -> Iterator[list[Wire]]:
    """This many connections to the server, none of which has sent anything."""
    address = ("127.0.0.1", server.event("listening")["port"])
    with ExitStack() as stack:
        wires = (Wire(socket.create_connection(address, timeout=10)) for _ in range(size))
        yield [stack.enter_context(closing(wire)) for wire in wires]


def test_connections_beyond_the_limit_are_turned_away_and_told_when_to_come_again(server: ServerProcess) -> None:
    without_clients(server)
    with crowd(server, LIMIT) as within, crowd(server, 800) as beyond:
        for wire in [*within, *beyond]:
            wire.send(HEALTH)
        served = [answer for wire in within if (answer := wire.answer())]
        assert [answer.status for answer in served] == [200] * LIMIT
        for wire in beyond:
            answer = wire.answer()
            if answer:  # what it sent before it was turned away may have lost it the answer
                assert (answer.status, "retry-after" in answer.headers) == (503, True)
                assert answer.json()["error"]
                assert wire.answer() is None
        for wire in within:
            wire.send(HEALTH)
            again = wire.answer()
            assert again
            assert again.status == 200


def test_when_a_crowd_has_gone_others_are_served(server: ServerProcess) -> None:
    for _ in range(3):
        with crowd(server, LIMIT + 100):
            pass
        answered_soon(server)


def test_connections_that_are_reset_at_once_leave_nothing(server: ServerProcess) -> None:
    files = open_files(server)
    address = ("127.0.0.1", server.event("listening")["port"])
    for number in range(5000):
        with socket.create_connection(address, timeout=10) as connection:
            if number % 2:
                connection.sendall(request(GOOD)[: number % 150])
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    answered_soon(server)
    settled(server)
    assert open_files(server) <= files + 2


def test_without_file_descriptors_it_goes_on_and_recovers(server: ServerProcess) -> None:
    settled(server)
    soft, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (open_files(server) + 20, hard))
    try:
        with crowd(server, LIMIT - 20) as connections:
            for wire in connections:
                wire.send(HEALTH)
            served = sum(1 for wire in connections[:10] if (answer := wire.answer()) and answer.status == 200)
            assert served == 10
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
    answered_soon(server)
    assert len(server.log) < 100  # one line for each connection would fill a disk


def test_thousands_of_requests_on_one_connection_are_answered_in_order(server: ServerProcess) -> None:
    with crowd(server, 1) as (wire,):
        sent = b"".join(request(GOOD[:-1] + b', "id": "%d"}' % number) for number in range(5000))
        sender = Thread(target=wire.send, args=[sent])
        sender.start()
        answered = [wire.answer() for _ in range(5000)]
        sender.join()
    assert [answer and answer.json()["id"] for answer in answered] == [str(number) for number in range(5000)]


def without_clients(server: ServerProcess) -> None:
    """Waits until nobody is connected, not even the client that reads metrics."""
    settled(server)
    server.client.close()
    server.client = httpx.Client(base_url=server.url, timeout=30)


def answered_soon(server: ServerProcess) -> None:
    """Fails unless a good request is served within a moment, however full the server was just before."""

    def served() -> bool:
        answer = told(server, request(GOOD))
        return answer is not None and answer.status == 200

    wait_until(served)


def open_files(server: ServerProcess) -> int:
    """How many descriptors the server holds."""
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
