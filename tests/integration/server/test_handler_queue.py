"""Requests that find no idle process wait: in their order, not too many, and not too long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from modelserver.errors import Error, Unavailable
from modelserver.handlers import pool
from modelserver.handlers.frames import Frame
from modelserver.handlers.launch import launch
from modelserver.handlers.pool import Pool
from modelserver.observe.metrics import ModelMeter
from tests.support.handlers import SWALLOWING, script
from tests.support.server_process import SERVER, serving
from tests.support.until import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HEAD = {"method": "POST", "target": "/score", "headers": []}
WAITS = """
while not os.path.exists(data):
    time.sleep(0.005)
return data
"""
BEFORE = "import os, time"


class Answers(list[Frame | Error]):
    """What was answered, in this order."""

    def texts(self) -> list[str]:
        return [bytes(found.buffers[0]).decode() if isinstance(found, Frame) else str(found) for found in self]


@pytest.fixture
async def handler(tmp_path: Path) -> AsyncIterator[Pool]:
    """A pool of one process, which returns from a run when the file is there that it is given the name of."""
    path = script(tmp_path, WAITS, before=BEFORE)
    plan = launch(path, [], 1, None, {"PYTHONPATH": str(SERVER)})
    found = Pool("h", plan, 1, 5.0, no_models, ModelMeter(), Counter("restarts", "", registry=CollectorRegistry()))
    await found.start()
    yield found
    await found.close()


async def no_models(_: Frame) -> Frame:
    raise NotImplementedError


def ask(handler: Pool, file: Path, answers: Answers) -> None:
    handler.submit(dict[str, Any](HEAD), str(file).encode(), answers.append)


async def test_they_are_answered_in_their_order(handler: Pool, tmp_path: Path) -> None:
    answers, files = Answers(), [tmp_path / name for name in "cab"]
    for file in files:
        ask(handler, file, answers)
    for file in (files[1], files[2], files[0]):
        file.touch()
    await until(lambda: len(answers) == 3)
    assert answers.texts() == [f'"{file}"' for file in files]


async def test_what_is_too_many_is_refused_at_once(
    handler: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "MAX_WAITING", 2)
    answers, file = Answers(), tmp_path / "file"
    for _ in range(3):  # one runs, two wait
        ask(handler, file, answers)
    with pytest.raises(Unavailable, match="2 requests already wait for the handler"):
        ask(handler, file, answers)
    file.touch()
    await until(lambda: len(answers) == 3)
    ask(handler, file, answers)
    await until(lambda: len(answers) == 4)


async def test_a_process_that_is_killed_before_it_begins_leaves_its_request_to_the_next(
    handler: Pool, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    answers = Answers()
    for number in range(20):
        (process,) = handler._up
        process.kill()
        ask(handler, tmp_path / "file", answers)
        await until(lambda expected=number + 1: len(answers) == expected)  # type: ignore[misc]
        await until(lambda: bool(handler._idle))
    assert all(isinstance(answer, Frame) for answer in answers)


async def test_after_too_long_a_wait_they_are_told_to_come_again(tmp_path: Path) -> None:
    path = script(tmp_path, "exec(data)", before=BEFORE)
    with serving("--handler", str(path), "--handler-timeout", "0.5") as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=10) as client:
            first = asyncio.create_task(client.post("/score", content=SWALLOWING))
            in_flight = 'modelserver_requests_in_flight{model="score",version=""}'
            await until(lambda: server.metric(in_flight) == 1)
            second = await client.post("/score", content="pass")
            assert (second.status_code, second.headers["retry-after"]) == (503, "1")
            assert second.json() == {"message": "the handler was busy for 0.5 s; try again later"}
            assert (await first).json() == {"message": "Scoring timeout after 500 ms"}
