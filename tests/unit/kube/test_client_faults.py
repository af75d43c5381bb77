"""Whatever the network and the server do, the client raises one of the core's errors, in time."""

import asyncio
import time
from contextlib import aclosing

import pytest
from aiohttp import web

from modelfleet.core.errors import Expired, Retryable, Throttled, Unauthenticated, Unavailable, Unreachable
from modelfleet.kube.client import CONFIG_MAPS, KubeClient
from tests.support.until import until
from tests.unit.kube.faulty import Answer, config_map, faulty, gone, hangs, listing, says, streams

ADDED = {"type": "ADDED", "object": config_map("a", 2)}


async def drops(request: web.BaseRequest) -> web.StreamResponse:
    """The connection ends in the middle of the body."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"kind":')
    assert request.transport
    request.transport.abort()
    return response


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (says(401), Unauthenticated),
        (says(429), Throttled),
        (says(500), Unavailable),
        (says(503, "<html>no backend</html>"), Unavailable),
        (says(302, Location="https://sign-in.example"), Unavailable),
        (drops, Unreachable),
    ],
)
async def test_faults_of_the_server(answer: Answer, error: type[Exception]) -> None:
    async with faulty(answer) as server, KubeClient(server.url) as client:
        with pytest.raises(error):
            await client.get(CONFIG_MAPS, "ns", "a")


async def test_a_throttled_request_tells_when_to_come_back() -> None:
    async with faulty(says(429, **{"Retry-After": "3"})) as server, KubeClient(server.url) as client:
        with pytest.raises(Retryable) as caught:
            await client.get(CONFIG_MAPS, "ns", "a")
    assert caught.value.retry_after_s == 3.0


async def test_a_server_that_does_not_answer_costs_no_more_than_the_time_allowed() -> None:
    async with faulty(hangs) as server, KubeClient(server.url, total_s=0.1) as client:
        started = time.monotonic()
        with pytest.raises(Unreachable, match=r"GET /api/v1/namespaces/ns/configmaps/a: .+"):
            await client.get(CONFIG_MAPS, "ns", "a")
    assert time.monotonic() - started < 2


async def test_nobody_listens() -> None:
    async with faulty(hangs) as server:
        url = server.url
    async with KubeClient(url) as client:
        with pytest.raises(Unreachable, match="Cannot connect"):
            await client.get(CONFIG_MAPS, "ns", "a")


async def test_a_name_that_does_not_resolve() -> None:
    async with KubeClient("https://cluster.invalid") as client:
        with pytest.raises(Unreachable, match=r"cluster\.invalid"):
            await client.get(CONFIG_MAPS, "ns", "a")


async def test_a_server_that_does_not_speak_tls() -> None:
    async with faulty(hangs) as server, KubeClient(server.url.replace("http:", "https:")) as client:
        with pytest.raises(Unreachable):
            await client.get(CONFIG_MAPS, "ns", "a")


async def test_a_connection_that_dies_under_us_is_a_fault_but_our_own_cancellation_is_not() -> None:
    async with faulty(hangs) as server, KubeClient(server.url) as client:
        request = asyncio.create_task(client.get(CONFIG_MAPS, "ns", "a"))
        await until(lambda: len(server.requests) == 1)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request


async def test_a_task_cancelled_inside_the_http_library_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def cancelled(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    async with KubeClient("http://127.0.0.1:1") as client:
        monkeypatch.setattr(client._session, "request", cancelled)
        with pytest.raises(Unreachable, match="was cancelled"):
            await client.get(CONFIG_MAPS, "ns", "a")


async def test_each_request_carries_the_token_of_its_moment() -> None:
    tokens = iter(["Bearer one", "Bearer two"])

    async def authorization() -> str:
        return next(tokens)

    async with (
        faulty(says(200, config_map("a", 1))) as server,
        KubeClient(server.url, authorization=authorization) as client,
    ):
        await client.get(CONFIG_MAPS, "ns", "a")
        await client.get(CONFIG_MAPS, "ns", "a")
    assert [request.headers["Authorization"] for request in server.requests] == ["Bearer one", "Bearer two"]


async def test_watches_take_no_place_from_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfleet.kube.client.CONNECTIONS", 1)
    async with (
        faulty(streams(ADDED, then="hang"), streams(ADDED, then="hang"), says(200, config_map("a", 1))) as server,
        KubeClient(server.url) as client,
        aclosing(client.watch(CONFIG_MAPS, resource_version="1")) as one,
        aclosing(client.watch(CONFIG_MAPS, resource_version="1")) as two,
    ):
        await anext(one)
        await anext(two)
        assert await client.get(CONFIG_MAPS, "ns", "a")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (streams(ADDED, gone()), Expired),
        (streams(ADDED, {"type": "ERROR", "object": {"code": 500}}), Unavailable),
        (streams(ADDED, then="break"), Unreachable),
        (streams(ADDED, '{"type":"MODIFIED","obj\n'), Unavailable),
        (streams(ADDED, then="hang"), Unreachable),
    ],
)
async def test_a_watch_gives_what_came_before_the_fault(answer: Answer, error: type[Exception]) -> None:
    async with (
        faulty(answer) as server,
        KubeClient(server.url, silence_s=0.2) as client,
        aclosing(client.watch(CONFIG_MAPS, resource_version="1")) as events,
    ):
        assert (await anext(events)).type == "ADDED"
        with pytest.raises(error):
            await anext(events)


@pytest.mark.parametrize(("code", "error"), [(410, Expired), (429, Throttled), (401, Unauthenticated)])
async def test_a_watch_may_be_refused(code: int, error: type[Exception]) -> None:
    async with faulty(says(code)) as server, KubeClient(server.url) as client:
        with pytest.raises(error):
            await anext(client.watch(CONFIG_MAPS, resource_version="1"))


async def test_a_half_line_at_the_end_of_a_watch_is_no_event() -> None:
    async with faulty(streams(ADDED, '{"type":"MODI')) as server, KubeClient(server.url) as client:
        seen = [event.type async for event in client.watch(CONFIG_MAPS, resource_version="1")]
    assert seen == ["ADDED"]


async def test_an_event_as_large_as_etcd_allows_comes_through() -> None:
    large = {"type": "ADDED", "object": config_map("a", 2) | {"data": {"k": "x" * 3_000_000}}}
    async with faulty(streams(large)) as server, KubeClient(server.url) as client:
        sizes = [len(event.object["data"]["k"]) async for event in client.watch(CONFIG_MAPS, resource_version="1")]
    assert sizes == [3_000_000]


async def test_a_list_that_loses_its_version_half_way_is_expired() -> None:
    metadata = {"resourceVersion": "5", "continue": "more"}
    first = says(200, {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": metadata, "items": []})
    async with faulty(first, says(410)) as server, KubeClient(server.url) as client:
        with pytest.raises(Expired):
            await client.list(CONFIG_MAPS)


async def test_a_list_asks_for_chunks_and_a_version() -> None:
    async with faulty(listing(5)) as server, KubeClient(server.url) as client:
        await client.list(CONFIG_MAPS, chunk=7, resource_version="0", label_selector="a in (b, c)")
    assert dict(server.requests[0].query) == {"limit": "7", "resourceVersion": "0", "labelSelector": "a in (b, c)"}
