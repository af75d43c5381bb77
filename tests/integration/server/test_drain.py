"""SIGTERM under load: every request that was accepted is answered."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support import onnx_models
from tests.support.onnx_models import saved
from tests.support.server_process import ServerProcess, serving
from tests.support.until import until, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    model = f"slow={saved(onnx_models.slow(), tmp_path / 'slow.onnx')}"
    with serving("--model", model, *getattr(request, "param", ())) as process:
        yield process


@dataclass
class Load:
    """Clients that post one request after the other until the port is closed."""

    url: str
    answered: int = 0
    lost: int = 0

    async def client(self, keep_alive: bool, pause_s: float) -> None:
        headers = {} if keep_alive else {"Connection": "close"}
        async with httpx.AsyncClient(base_url=self.url, timeout=30, headers=headers) as client:
            while await self._post(client):
                await asyncio.sleep(pause_s)

    async def _post(self, client: httpx.AsyncClient) -> bool:
        try:
            answer = await client.post("/score", json={"data": [5]})
        except httpx.ConnectError:
            return False  # refused: nobody accepted it
        except httpx.TransportError:
            self.lost += 1
            return False
        self.answered += answer.status_code == 200
        self.lost += answer.status_code != 200
        return True


# Longer than usual, so that a busy machine gets to as many requests as well.
@pytest.mark.parametrize("server", [("--shutdown-delay", "6")], ids=["long"], indirect=True)
async def test_no_request_is_lost_while_it_drains_under_load(server: ServerProcess) -> None:
    load = Load(server.url)
    clients = [
        asyncio.create_task(load.client(keep_alive, 0.01)) for keep_alive in (True, False) for _ in range(8)
    ]
    clients += [asyncio.create_task(load.client(keep_alive=True, pause_s=0.7)) for _ in range(4)]
    await until(lambda: load.answered > 50)
    server.process.terminate()
    before = load.answered
    await asyncio.gather(*clients)
    assert load.lost == 0
    assert load.answered > before + 100
    assert await asyncio.to_thread(server.process.wait, 10) == 0
    assert server.event("stopped")["unanswered_connections"] == 0


async def test_it_says_so_while_it_drains_and_answers_all_the_same(server: ServerProcess) -> None:
    server.process.terminate()
    await until(lambda: server.logged("draining"))
    assert server.client.get("/v2/health/live").status_code == 200
    assert server.client.get("/v2/health/ready").status_code == 503
    assert server.client.get("/healthcheck").json()["status"] == "draining"
    answer = server.score([1])
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")


async def test_a_request_that_takes_long_is_finished(server: ServerProcess) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        post = asyncio.create_task(client.post("/score", json={"data": [20_000]}))
        await until(lambda: server.metric('modelserver_requests_in_flight{model="slow",version="1"}') == 1)
        server.process.terminate()
        assert (await post).status_code == 200
    assert await asyncio.to_thread(server.process.wait, 10) == 0


def test_an_idle_connection_does_not_hold_it_up(server: ServerProcess) -> None:
    assert server.client.get("/").status_code == 200  # and keeps its connection
    started = time.monotonic()
    server.process.terminate()
    assert server.process.wait(10) == 0
    assert 2 <= time.monotonic() - started < 6


def test_a_second_signal_ends_it_at_once(server: ServerProcess) -> None:
    server.process.terminate()
    wait_until(lambda: server.logged("draining"))
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(1) == 128 + signal.SIGTERM


def test_a_run_that_never_ends_is_given_up_after_the_request_timeout_and_its_thread_freed(tmp_path: Path) -> None:
    path = saved(onnx_models.slow(), tmp_path / "slow.onnx")
    with serving("--model", f"slow={path}", "--request-timeout", "1") as server:
        for _ in range(2 * (os.cpu_count() or 1)):
            answer = server.score([10_000_000])
            assert (answer.status_code, "no answer within 1 s" in answer.json()["message"]) == (503, True)
        assert server.score([1]).status_code == 200
        server.process.terminate()
        assert server.process.wait(10) == 0


def test_it_can_be_stopped_while_it_loads(tmp_path: Path) -> None:
    path = saved(onnx_models.long_to_load(), tmp_path / "m.onnx")
    with serving("--model", f"m={path}", until_ready=False) as server:
        server.process.terminate()
        assert server.process.wait(10) == 0
