"""A hundred thousand connections that send their headers byte by byte: each is cut, and others do not notice."""

from __future__ import annotations

import resource
import select
import socket
import time
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.hostile.conftest import answers
from tests.support.server_process import ServerProcess, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

ALTOGETHER = 100_000
AT_ONCE = 8_000
A_TURN = 400  # as many begin together
TIMEOUT_S = 1.0
BYTE_EVERY_S = 0.2


@pytest.fixture(scope="module")
def server(models: list[str]) -> Iterator[ServerProcess]:
    """Has room for more connections than the attack uses at once."""
    room = f"--max-connections={AT_ONCE + 1000}"
    with serving(*models, "--max-body=8Mi", f"--request-timeout={TIMEOUT_S:g}", room) as process:
        yield process


class Attack:
    """Keeps AT_ONCE slow connections open until ALTOGETHER of them have been cut."""

    def __init__(self, port: int) -> None:
        self.cut = 0
        self.answers: set[bytes] = set()
        self._port = port
        self._open: dict[int, socket.socket] = {}
        self._poll = select.epoll()

    def run(self) -> None:
        """Returns when all have been cut."""
        next_byte = time.monotonic()
        while self.cut < ALTOGETHER:
            for _ in range(min(A_TURN, AT_ONCE - len(self._open), ALTOGETHER - self.cut - len(self._open))):
                self._begin()
            for number, _ in self._poll.poll(0.01):
                self._end(self._open.pop(number))
            if time.monotonic() > next_byte:
                next_byte = time.monotonic() + BYTE_EVERY_S
                self._go_on()

    def _begin(self) -> None:
        slow = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        slow.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        self._open[slow.fileno()] = slow
        self._poll.register(slow, select.EPOLLIN)

    def _go_on(self) -> None:
        for slow in self._open.values():
            with suppress(ConnectionError):
                slow.send(b"a")

    def _end(self, slow: socket.socket) -> None:
        with suppress(ConnectionError), slow:
            self.answers.add(slow.recv(12))
        self.cut += 1


def test_they_are_cut_and_others_are_served(server: ServerProcess) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * AT_ONCE)), hard))
    attack, waits = Attack(server.event("listening")["port"]), []
    attacking = Thread(target=attack.run, daemon=True)
    attacking.start()
    while attacking.is_alive():
        started = time.monotonic()
        answers(server)
        waits.append(time.monotonic() - started)
        attacking.join(0.1)
    assert attack.cut == ALTOGETHER
    assert attack.answers == {b"HTTP/1.1 408"}
    assert len(waits) > 20
    assert max(waits) < 5
