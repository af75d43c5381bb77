"""Large bodies from many at once: together they hold no more than the server has set aside for them."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from tests.hostile.bodies import MIB
from tests.hostile.conftest import GOOD, GROWTH, MAX_BODY, Memory, answers, settled
from tests.hostile.wire import request, wired
from tests.support.server_process import ServerProcess, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

HELD = 256 * MIB
CLIENTS = 64


@pytest.fixture(scope="module")
def server(models: list[str]) -> Iterator[ServerProcess]:
    """Gives a request no more than two seconds."""
    with serving(*models, "--max-body=8Mi", "--request-timeout=2") as process:
        yield process


@pytest.fixture(scope="module")
def growth() -> int:
    """What is set aside for bodies, and what a single request may take."""
    return HELD + GROWTH


@pytest.mark.parametrize("missing", [0, 1], ids=["all of it", "all but a byte"])
def test_they_are_bounded_together(server: ServerProcess, missing: int) -> None:
    """Half a gigabyte is sent, by clients who do not ask whether anybody takes it."""
    with ExitStack() as stack:
        address = ("127.0.0.1", server.event("listening")["port"])
        for _ in range(CLIENTS):
            connection = stack.enter_context(socket.create_connection(address, timeout=0.5))
            with suppress(TimeoutError, ConnectionError):
                connection.sendall(request(bytes(MAX_BODY - missing), length=MAX_BODY))
        answers(server)
    settled(server)


def test_none_is_kept_once_it_has_been_answered(server: ServerProcess) -> None:
    """Two gigabytes, one after the other, on connections that stay open or are closed."""
    before = Memory(server.process.pid).now()
    with ExitStack() as stack:
        for number in range(256):
            wire = stack.enter_context(wired(server))
            wire.send(request(GOOD.ljust(MAX_BODY)))
            assert wire.answer()
            if number % 4:
                wire.close()
        assert Memory(server.process.pid).now() < before + GROWTH
