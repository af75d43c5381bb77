"""Pods are asked what they have counted, all of them or none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from modelfleet.core.counters import Counters
from modelfleet.kube.client import KubeClient
from modelfleet.reconcile import measure as measuring
from modelfleet.reconcile.measure import measure
from modelserver.observe.metrics import Metrics
from tests.support import objects
from tests.unit.kube.faulty import Answer, faulty, hangs, says

GONE = says(404, {"kind": "Status", "reason": "NotFound", "message": 'pods "c" not found'})


def ready(name: str) -> dict[str, Any]:
    """A pod that serves."""
    pod = objects.ready_pod(objects.owner(), name)
    return {**pod, "metadata": {**pod["metadata"], "uid": f"uid-{name}"}}


def counted(requests: int, errors: int = 0) -> Answer:
    """What a server says that has answered so many requests."""
    metrics = Metrics()
    for index in range(requests):
        metrics.endpoint(None, "score").answered(500 if index < errors else 200, 0.3, 1, 1)
    return says(200, metrics.text().decode())


@asynccontextmanager
async def cluster(pods: Mapping[str, Answer]) -> AsyncIterator[KubeClient]:
    """A client of an API server behind which each pod, by name, answers in its own way."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        name = request.path.removeprefix("/api/v1/namespaces/ml/pods/").removesuffix(":5000/proxy/metrics")
        return await pods[name](request)

    async with faulty(answer) as server, KubeClient(server.url) as client:
        yield client


async def test_the_counters_of_all_pods_are_found_by_uid() -> None:
    async with cluster({"a": counted(3, errors=1), "b": counted(2)}) as client:
        found = await measure(client, map(ready, "ab"), 0.25)
    assert found == {"uid-a": Counters(3, 1, 3), "uid-b": Counters(2, 0, 2)}


async def test_without_pods_nothing_is_known_to_be_counted() -> None:
    async with cluster({}) as client:
        assert await measure(client, [], 0.25) == {}


async def test_pods_that_take_no_traffic_are_not_asked() -> None:
    pods = [ready("a"), objects.pod(objects.owner(), "starts"), objects.leaving(ready("leaves"))]
    async with cluster({"a": counted(1)}) as client:
        assert (await measure(client, pods, None) or {}).keys() == {"uid-a"}


async def test_a_pod_that_is_gone_by_now_is_left_out() -> None:
    async with cluster({"a": counted(1), "c": GONE}) as client:
        assert await measure(client, map(ready, "ac"), None) == {"uid-a": Counters(1, 0, 0)}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (says(503, {"kind": "Status", "message": "connection refused"}), "connection refused"),
        (says(403, {"kind": "Status", "message": "may not get pods/proxy"}), "may not get pods/proxy"),
        (says(404, "no such page"), "HTTP 404"),
        (says(200, "<html>secret</html>"), "Pod ml/b: The text is not the metrics of a model server."),
    ],
)
async def test_one_pod_that_does_not_tell_makes_all_of_them_unknown(
    answer: Answer, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "modelfleet")
    async with cluster({"a": counted(1), "b": answer, "c": GONE}) as client:
        assert await measure(client, map(ready, "abc"), 0.25) is None
    assert why in caplog.text
    assert "secret" not in caplog.text


async def test_the_first_failure_ends_the_wait_for_pods_that_hang() -> None:
    hanging = {f"hangs{index}": hangs for index in range(3)}
    async with asyncio.timeout(2), cluster({**hanging, "b": says(503, "busy")}) as client:
        assert await measure(client, map(ready, [*hanging, "b"]), None) is None


async def test_only_a_few_pods_are_asked_at_once() -> None:
    at_once, most = 0, 0
    full = asyncio.Event()
    count = counted(1)

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        if at_once == measuring.AT_ONCE:
            full.set()
        await full.wait()
        response = await count(request)
        at_once -= 1
        return response

    names = [str(index) for index in range(3 * measuring.AT_ONCE)]
    async with cluster(dict.fromkeys(names, answer)) as client:
        found = await measure(client, map(ready, names), None)
    assert (len(found or {}), most) == (len(names), measuring.AT_ONCE)


async def test_who_stops_waiting_for_the_counters_is_not_kept() -> None:
    async with cluster({"a": hangs}) as client:
        task = asyncio.create_task(measure(client, [ready("a")], None))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(task, 0.1)
    assert task.cancelled()
