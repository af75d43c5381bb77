"""Following a ModelDeployment, live."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from modelfleet.cli.cluster import Cluster, Seen
from modelfleet.cli.follow import follow
from modelfleet.cli.refusal import Refused
from modelfleet.kube.client import KubeClient
from tests.unit.kube.faulty import Answer, faulty, says, streams


async def test_each_version_is_shown_when_it_comes() -> None:
    async def versions() -> AsyncIterator[str]:
        yield "one"
        yield "two"

    shown: list[str] = []
    await follow(versions(), shown.append, None)
    assert shown == ["one", "two"]


async def test_between_versions_the_last_is_shown_again_since_time_passes() -> None:
    shown: list[str] = []
    enough = asyncio.Event()

    async def versions() -> AsyncIterator[str]:
        yield "one"
        await enough.wait()

    def show(version: str) -> None:
        shown.append(version)
        if len(shown) == 3:
            enough.set()

    await asyncio.wait_for(follow(versions(), show, 0.001), 10)
    assert set(shown) == {"one"}


def body(version: str) -> dict[str, Any]:
    return {"metadata": {"name": "claims", "namespace": "ml", "resourceVersion": version}}


def changed(version: str, kind: str = "MODIFIED") -> dict[str, Any]:
    return {"type": kind, "object": body(version)}


async def seen(*answers: Answer, count: int) -> list[Seen]:
    """The first versions that come from a server which answers so."""
    async with faulty(*answers) as server, KubeClient(server.url) as client:
        versions = Cluster(client, "ml", again_s=0.001).versions("claims")
        return [await anext(versions) for _ in range(count)]


async def test_what_the_watch_begins_with_is_shown_once() -> None:
    found = await seen(
        says(200, body("1")), streams(changed("1", "ADDED"), changed("2"), changed("3"), then="hang"), count=3
    )
    assert found == [Seen(body(version)) for version in "123"]


async def test_bookmarks_are_no_versions() -> None:
    found = await seen(
        says(200, body("1")),
        streams({"type": "BOOKMARK", "object": body("9")}, changed("2"), then="hang"),
        count=2,
    )
    assert found[1] == Seen(body("2"))


async def test_a_stream_that_ends_is_opened_again() -> None:
    one, more = streams(changed("2")), streams(changed("3"), then="hang")
    found = await seen(says(200, body("1")), one, says(200, body("2")), more, count=3)
    assert found[2] == Seen(body("3"))


async def test_a_server_that_goes_away_is_told_and_waited_for() -> None:
    found = await seen(says(200, body("1")), says(503), streams(changed("1", "ADDED"), then="hang"), count=3)
    assert "refuses" in found[1].trouble
    assert found[1].body == body("1")
    assert found[2] == Seen(body("1"))


@pytest.mark.parametrize(
    "answers",
    [
        [says(200, body("1")), streams(changed("2", "DELETED"))],
        [says(200, body("1")), streams(), says(404)],
        [says(200, body("1")), says(403, {"message": "not you"})],
    ],
    ids=["deleted while watched", "deleted while nobody looked", "no right to watch"],
)
async def test_what_cannot_be_followed_any_more_ends(answers: list[Answer]) -> None:
    with pytest.raises(Refused):
        await seen(*answers, count=2)
