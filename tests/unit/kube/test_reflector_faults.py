"""The reflector stays right, and polite, whatever happens to its stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from modelfleet.kube.client import CONFIG_MAPS, KubeClient
from modelfleet.kube.reflector import Reflector
from tests.support.until import until
from tests.unit.kube.faulty import Answer, FaultyServer, config_map, faulty, gone, hangs, listing, says, streams

Told = list[tuple[str, bool]]


def event(kind: str, name: str, version: int) -> dict[str, Any]:
    return {"type": kind, "object": config_map(name, version)}


def bookmark(version: int) -> dict[str, Any]:
    return {"type": "BOOKMARK", "object": {"kind": "ConfigMap", "metadata": {"resourceVersion": str(version)}}}


@asynccontextmanager
async def reflecting(
    *answers: Answer, silence_s: float = 30, max_pause_s: float = 0.02
) -> AsyncIterator[tuple[Reflector, FaultyServer, Told]]:
    told: Told = []
    async with faulty(*answers) as server, KubeClient(server.url, silence_s=silence_s) as client:
        reflector = Reflector(
            client,
            CONFIG_MAPS,
            on_change=lambda body, deleted: told.append((body["metadata"]["name"], deleted)),
            min_pause_s=0.01,
            max_pause_s=max_pause_s,
        )
        running = asyncio.create_task(reflector.run())
        try:
            yield reflector, server, told
        finally:
            assert not running.done()
            running.cancel()


def versions_watched(server: FaultyServer) -> list[str]:
    return [request.query["resourceVersion"] for request in server.requests if "watch" in request.query]


def lists(server: FaultyServer) -> int:
    return sum("watch" not in request.query for request in server.requests)


@pytest.mark.parametrize("refusal", [streams(event("ADDED", "c", 5), gone()), says(410)])
async def test_after_a_lost_history_a_listing_tells_what_was_missed(refusal: Answer) -> None:
    before = listing(4, config_map("a", 1), config_map("b", 2))
    after = listing(9, config_map("b", 2), config_map("d", 8))
    async with reflecting(before, refusal, after, streams(then="hang")) as (reflector, server, told):
        await until(lambda: len(versions_watched(server)) == 2)
        assert {name for _, name in reflector.names()} == {"b", "d"}
        assert ("a", True) in told
        assert ("d", False) in told
        assert told.count(("b", False)) == 1
        assert versions_watched(server) == ["4", "9"]


@pytest.mark.parametrize("fault", [streams(bookmark(7), then="break"), streams(bookmark(7))])
async def test_a_broken_stream_goes_on_where_it_was(fault: Answer) -> None:
    async with reflecting(listing(4), fault, streams(then="hang")) as (_, server, _told):
        await until(lambda: len(versions_watched(server)) == 2)
        assert versions_watched(server) == ["4", "7"]
        assert lists(server) == 1


async def test_a_silent_stream_is_given_up() -> None:
    silent, next_one = streams(bookmark(7), then="hang"), streams(event("ADDED", "a", 8), then="hang")
    async with reflecting(listing(4), silent, next_one, silence_s=0.1) as (reflector, _, told):
        await until(lambda: told == [("a", False)])
        assert reflector.get("ns", "a")


async def test_a_throttled_watch_waits_as_asked_and_keeps_its_place() -> None:
    throttled = says(429, **{"Retry-After": "1"})
    async with reflecting(listing(4), throttled, streams(then="hang")) as (_, server, _told):
        loop = asyncio.get_running_loop()
        await until(lambda: len(versions_watched(server)) == 1)
        started = loop.time()
        await until(lambda: len(versions_watched(server)) == 2)
        assert loop.time() - started >= 0.9
        assert versions_watched(server) == ["4", "4"]
        assert lists(server) == 1


@pytest.mark.parametrize("code", [401, 403, 404, 500, 503])
async def test_a_refused_listing_is_tried_again(code: int) -> None:
    refused = says(code)
    async with reflecting(refused, refused, listing(4, config_map("a", 1)), streams(then="hang")) as (r, _, told):
        async with asyncio.timeout(10):
            await r.synced.wait()
        assert told == [("a", False)]


@pytest.mark.parametrize("answer", [says(503), says(200, "{}"), streams(), says(410)])
async def test_a_server_that_never_gives_anything_is_asked_less_and_less(answer: Answer) -> None:
    async with reflecting(answer, max_pause_s=60) as (reflector, server, _told):
        await until(lambda: len(server.requests) >= 4)
        assert reflector._pause_s() > 0.05
        assert not reflector.synced.is_set()


async def test_a_server_that_ends_each_watch_at_once_is_not_hammered() -> None:
    async with reflecting(listing(4), streams(), max_pause_s=60) as (reflector, server, _told):
        await until(lambda: len(versions_watched(server)) >= 4)
        assert reflector._pause_s() > 0.05
        assert lists(server) == 1


async def test_an_event_shows_that_the_server_is_well_again() -> None:
    answers = [says(503), says(503), says(503), listing(4), streams(event("ADDED", "a", 5), then="hang")]
    async with reflecting(*answers) as (reflector, _, told):
        await until(lambda: told == [("a", False)])
        assert reflector._attempts == 0


async def test_the_age_of_the_last_answer_shows_an_outage() -> None:
    async with reflecting(listing(4), streams(bookmark(5)), hangs) as (reflector, server, _told):
        await until(lambda: len(server.requests) == 3)
        last = reflector.last_sync
        await until(lambda: asyncio.get_running_loop().time() > last + 0.1)
        assert reflector.last_sync == last


async def test_a_callback_that_fails_does_not_end_the_watch(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: object, __: bool) -> None:
        raise ZeroDivisionError

    answers = [listing(4, config_map("a", 1)), listing(4, config_map("a", 1)), streams(then="hang")]
    async with faulty(*answers) as server, KubeClient(server.url) as client:
        reflector = Reflector(client, CONFIG_MAPS, on_change=fail, min_pause_s=0.01)
        running = asyncio.create_task(reflector.run())
        await until(lambda: len(server.requests) == 3)
        running.cancel()
    assert "Watching configmaps failed" in caplog.text
