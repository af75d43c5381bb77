"""The reflector's copy is the cluster's, whatever happened in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from modelfleet.kube.client import CONFIG_MAPS, KubeClient, Resource
from modelfleet.kube.reflector import Reflector
from modelfleet.kube.wire import Request
from tests.integration.kube.conftest import define, undefine, unknown_kind
from tests.integration.kube.gate import Gate
from tests.support.until import until

Told = list[tuple[str, bool]]


@pytest.fixture
def told() -> Told:
    """Name and deletion of each change that the reflector told."""
    return []


@asynccontextmanager
async def reflecting(client: KubeClient, namespace: str, told: Told, **options: Any) -> AsyncIterator[Reflector]:
    """A running reflector of the ConfigMaps of one test, found by their label and indexed by their owner."""
    reflector = Reflector(
        client,
        options.pop("resource", CONFIG_MAPS),
        label_selector=f"test={namespace}",
        on_change=lambda body, deleted: told.append((body["metadata"]["name"], deleted)),
        index=lambda body: body["metadata"]["labels"]["owner"],
        **{"min_pause_s": 0.02, "max_pause_s": 0.2} | options,
    )
    running = asyncio.create_task(reflector.run())
    try:
        async with asyncio.timeout(15):
            await reflector.synced.wait()
        yield reflector
    finally:
        assert not running.done()
        running.cancel()


def config_map(namespace: str, name: str, value: str = "v", owner: str = "x") -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": name, "labels": {"test": namespace, "owner": owner}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"key": value}}


async def apply(kube: KubeClient, namespace: str, name: str, value: str = "v", owner: str = "x") -> dict[str, Any]:
    return await kube.apply(config_map(namespace, name, value, owner), field_manager="test")


async def delete(kube: KubeClient, body: dict[str, Any]) -> None:
    metadata = body["metadata"]
    await kube.delete(CONFIG_MAPS, metadata["namespace"], metadata["name"], uid=metadata["uid"])


def value_of(reflector: Reflector, namespace: str, name: str) -> str | None:
    body = reflector.get(namespace, name)
    return body["data"]["key"] if body else None


async def test_changes_arrive(kube: KubeClient, namespace: str, told: Told) -> None:
    first = await apply(kube, namespace, "before")
    async with reflecting(kube, namespace, told) as reflector:
        assert told == [("before", False)]
        await apply(kube, namespace, "after")
        await until(lambda: value_of(reflector, namespace, "after") == "v")
        await apply(kube, namespace, "after", "w")
        await until(lambda: value_of(reflector, namespace, "after") == "w")
        await delete(kube, first)
        await until(lambda: reflector.get(namespace, "before") is None)
        assert told == [("before", False), ("after", False), ("after", False), ("before", True)]


async def test_objects_are_found_by_their_owner(kube: KubeClient, namespace: str, told: Told) -> None:
    async with reflecting(kube, namespace, told) as reflector:
        for name, owner in (("a", "x"), ("b", "x"), ("c", "y")):
            await apply(kube, namespace, name, owner=owner)
        await until(lambda: len(reflector) == 3)
        assert [body["metadata"]["name"] for body in reflector.indexed("x")] == ["a", "b"]
        await apply(kube, namespace, "b", owner="y")
        await until(lambda: len(reflector.indexed("y")) == 2)
        assert [body["metadata"]["name"] for body in reflector.indexed("x")] == ["a"]


async def test_an_object_that_loses_its_label_is_gone(kube: KubeClient, namespace: str, told: Told) -> None:
    body = await apply(kube, namespace, "a")
    async with reflecting(kube, namespace, told) as reflector:
        body["metadata"]["labels"] = {}
        await kube.replace(body)
        await until(lambda: len(reflector) == 0)
        assert told[-1] == ("a", True)


async def test_own_writes_are_read_at_once_and_are_no_news(
    kube: KubeClient, gated: KubeClient, gate: Gate, namespace: str, told: Told
) -> None:
    async with reflecting(gated, namespace, told) as reflector:
        # The answer to a write comes before the event about it.
        gate.moving.clear()
        written = await apply(kube, namespace, "mine")
        reflector.put(written)
        assert value_of(reflector, namespace, "mine") == "v"
        assert "managedFields" not in (reflector.get(namespace, "mine") or {})["metadata"]
        await apply(kube, namespace, "other")
        gate.moving.set()
        await until(lambda: told == [("other", False)])


async def test_own_deletions_are_seen_at_once_and_are_no_news(
    kube: KubeClient, gated: KubeClient, gate: Gate, namespace: str, told: Told
) -> None:
    written = await apply(kube, namespace, "mine")
    async with reflecting(gated, namespace, told) as reflector:
        gate.moving.clear()
        await delete(kube, written)
        reflector.forget(written)
        assert reflector.get(namespace, "mine") is None
        await apply(kube, namespace, "other")
        gate.moving.set()
        await until(lambda: ("other", False) in told)
        assert told == [("mine", False), ("other", False)]


async def test_an_outage_is_caught_up_with(
    kube: KubeClient, gated: KubeClient, gate: Gate, namespace: str, told: Told
) -> None:
    gone = await apply(kube, namespace, "gone")
    await apply(kube, namespace, "changed")
    async with reflecting(gated, namespace, told) as reflector:
        await gate.shut()
        await delete(kube, gone)
        await apply(kube, namespace, "changed", "w")
        await apply(kube, namespace, "new")
        assert value_of(reflector, namespace, "gone") == "v"
        await gate.open()
        await until(lambda: reflector.get(namespace, "new") is not None)
        assert reflector.get(namespace, "gone") is None
        assert value_of(reflector, namespace, "changed") == "w"
        assert told.count(("gone", True)) == 1


async def test_an_outage_before_the_first_listing_only_delays(
    kube: KubeClient, gated: KubeClient, gate: Gate, namespace: str, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    await apply(kube, namespace, "a")
    await gate.shut()
    opening = asyncio.create_task(open_after(gate, caplog))
    async with reflecting(gated, namespace, told) as reflector:
        assert reflector.get(namespace, "a")
    await opening


async def open_after(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    await until(lambda: caplog.text.count("Cannot connect") >= 2)
    await gate.open()


async def test_a_network_that_swallows_everything_is_noticed(
    kube: KubeClient, gated: KubeClient, gate: Gate, namespace: str, told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    gated._watch_timeout = gated._watch_timeout.__class__(total=None, sock_connect=1, sock_read=0.3)
    async with reflecting(gated, namespace, told) as reflector:
        gate.moving.clear()
        await apply(kube, namespace, "a")
        await until(lambda: "Watching configmaps" in caplog.text)
        gate.moving.set()
        await until(lambda: reflector.get(namespace, "a") is not None)


async def test_what_vanished_from_a_lost_history_is_deleted(
    kube: KubeClient, gated: KubeClient, gate: Gate, kind: Resource, namespace: str, told: Told
) -> None:
    path = kind.path(namespace)
    labels = {"test": namespace, "owner": "x"}
    things = {}
    for name in ("stays", "goes"):
        metadata = {"namespace": namespace, "name": name, "labels": labels}
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
        things[name] = await kube._send(Request("POST", path, body=body))
    async with reflecting(gated, namespace, told, resource=kind) as reflector:
        await gate.shut()
        await kube.delete(kind, namespace, "goes", uid=things["goes"]["metadata"]["uid"])
        # A version from before the API server began to serve this kind: it answers with a real 410.
        reflector._position = "1"
        await gate.open()
        await until(lambda: reflector.get(namespace, "goes") is None)
        assert reflector.get(namespace, "stays")
        assert told.count(("goes", True)) == 1
        assert told.count(("stays", False)) == 1
        await until(lambda: int(reflector._position) > 1)


async def test_hundreds_of_objects_are_the_same_here_and_there(
    kube: KubeClient, gated: KubeClient, gate: Gate, namespace: str, told: Told
) -> None:
    bodies = await asyncio.gather(*(apply(kube, namespace, f"a{number}") for number in range(120)))
    async with reflecting(gated, namespace, told) as reflector:
        await gate.shut()
        await asyncio.gather(*(delete(kube, body) for body in bodies[::3]))
        await asyncio.gather(*(apply(kube, namespace, f"a{number}", "w") for number in range(1, 120, 3)))
        await gate.open()
        await apply(kube, namespace, "last")
        await until(lambda: reflector.get(namespace, "last") is not None)
        there = (await kube.list(CONFIG_MAPS, label_selector=f"test={namespace}", chunk=50)).items
        assert {value["metadata"]["name"]: value["data"] for value in there} == {
            name: body["data"]
            for in_namespace, name in reflector.names()
            if (body := reflector.get(in_namespace, name))
        }
        assert len(told) == len(set(told)) + 40  # Only those changed with "w" are told twice, and the same way.


async def test_a_resource_that_need_not_be_there_is_empty_until_it_comes_and_when_it_goes(
    kube: KubeClient, namespace: str, told: Told
) -> None:
    kind = unknown_kind()
    metadata = {"namespace": namespace, "name": "a", "labels": {"test": namespace, "owner": "x"}}
    async with reflecting(kube, namespace, told, resource=kind, may_be_absent=True) as reflector:
        assert (reflector.is_absent, len(reflector)) == (True, 0)
        await define(kube, kind)
        await until(lambda: not reflector.is_absent)
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
        await kube._send(Request("POST", kind.path(namespace), body=body))
        await until(lambda: reflector.get(namespace, "a") is not None)
        await undefine(kube, kind)
        await until(lambda: reflector.is_absent)
        assert len(reflector) == 0
    assert told == [("a", False), ("a", True)]
