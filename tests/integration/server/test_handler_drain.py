"""SIGTERM lets the handler finish what it has begun and what waits for it, and leaves no process behind."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from tests.support.handlers import is_gone, script
from tests.support.server_process import serving
from tests.support.until import until, wait_until

if TYPE_CHECKING:
    from pathlib import Path

SLOW = "time.sleep(0.3)\nreturn os.getpid()"
BEFORE = "import os, time"
IN_FLIGHT = 'modelserver_requests_in_flight{model="score",version=""}'


async def test_what_runs_and_what_waits_is_answered(tmp_path: Path) -> None:
    with serving("--handler", str(script(tmp_path, SLOW, before=BEFORE))) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            posts = [asyncio.create_task(client.post("/score")) for _ in range(5)]
            await until(lambda: server.metric(IN_FLIGHT) == 5)
            server.process.terminate()
            answers = await asyncio.gather(*posts)
        assert [answer.status_code for answer in answers] == [200] * 5
        assert await asyncio.to_thread(server.process.wait, 10) == 0
        assert server.event("stopped")["unanswered_connections"] == 0
        wait_until(lambda: is_gone(answers[0].json()))
        assert not any("handler's process" in event["message"] for event in server.log)


def test_it_can_be_stopped_while_the_handler_starts(tmp_path: Path) -> None:
    path = script(tmp_path, "return 1", init="print(os.getpid(), flush=True)\ntime.sleep(1000)", before=BEFORE)
    with serving("--handler", str(path), until_ready=False) as server:
        wait_until(lambda: any(event["message"].isdigit() for event in server.log))
        pid = next(int(event["message"]) for event in server.log if event["message"].isdigit())
        server.process.terminate()
        assert server.process.wait(10) == 0
        wait_until(lambda: is_gone(pid))
