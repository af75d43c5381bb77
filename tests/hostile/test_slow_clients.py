"""Clients that are slower than they need to be: each is cut after the request timeout, whatever it dribbles."""

from __future__ import annotations

import json
import select
import time
from typing import TYPE_CHECKING

import pytest

from tests.hostile.conftest import GOOD, settled
from tests.hostile.wire import request, wired
from tests.support.server_process import ServerProcess, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_S = 1.0
# The server looks at its connections twice a second.
CUT_WITHIN_S = TIMEOUT_S + 2

BEGUN = {
    "half a request line": b"POST /sc",
    "half a head": b"POST /score HTTP/1.1\r\nHost: x\r\nContent-",
    "a head": b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
    "half a body": request(GOOD[:20], length=100),
    "half a chunk": b"POST /score HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n100\r\nabc",
    "chunks and no end": b"POST /score HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "a body that was asked to wait": request(b"", "Expect: 100-continue", length=100),
}
VALUES = json.dumps([0.123] * 100_000)
LARGE = request(f'{{"inputs":[{{"name":"x","shape":[100000],"datatype":"FP32","data":{VALUES}}}]}}'.encode())


@pytest.fixture(scope="module")
def server(models: list[str]) -> Iterator[ServerProcess]:
    """Gives a request no more than TIMEOUT_S."""
    with serving(*models, "--max-body=8Mi", f"--request-timeout={TIMEOUT_S:g}") as process:
        yield process


@pytest.mark.parametrize("data", BEGUN.values(), ids=BEGUN)
def test_who_falls_silent_in_a_request_is_told_and_cut(server: ServerProcess, data: bytes) -> None:
    with wired(server) as wire:
        started = time.monotonic()
        wire.send(data)
        answer = wire.answer()
        if answer and answer.status == 100:
            answer = wire.answer()
        assert answer
        assert answer.status == 408
        assert wire.answer() is None
        assert TIMEOUT_S - 0.1 < time.monotonic() - started < CUT_WITHIN_S


@pytest.mark.parametrize("begun", ["half a head", "half a body", "chunks and no end"])
def test_a_byte_now_and_then_does_not_buy_time(server: ServerProcess, begun: str) -> None:
    with wired(server) as wire:
        started = time.monotonic()
        wire.send(BEGUN[begun])
        while not select.select([wire.socket], [], [], 0.05)[0] and time.monotonic() - started < CUT_WITHIN_S:
            wire.send(b"1\r\na\r\n" if "chunk" in begun else b"a")
        answer = wire.answer()
        assert answer
        assert answer.status == 408


def test_who_does_not_read_is_cut_and_costs_one_answer(server: ServerProcess) -> None:
    """Asks for some 100 MB of answers and reads none of them."""
    with wired(server) as wire:
        wire.socket.settimeout(0.5)
        with pytest.raises((TimeoutError, ConnectionError)):  # the server stops reading
            wire.socket.sendall(LARGE * 200)
        settled(server)
