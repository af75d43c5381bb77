"""A pod may be anybody's program: whatever it does, asking it ends in time, in a text or an error of the core."""

import time
import zlib

import pytest
from aiohttp import web

from modelfleet.core.errors import (
    Forbidden,
    ModelfleetError,
    NotFound,
    Throttled,
    Unauthenticated,
    Unavailable,
    Unreachable,
)
from modelfleet.kube.client import KubeClient
from tests.unit.kube.faulty import Answer, faulty, hangs, says, streams

PATH = "/api/v1/namespaces/ns/pods/claims-x:5000/proxy/metrics"


def refuses(code: int, reason: str = "") -> Answer:
    """What the API server itself says."""
    return says(code, {"kind": "Status", "code": code, "reason": reason, "message": "as the server says"})


async def never_ends(request: web.BaseRequest) -> web.StreamResponse:
    """A text without an end, as fast as it is read."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"a" * 65536)


async def ask(url: str, *, pod_s: float = 5.0) -> str:
    async with KubeClient(url, pod_s=pod_s) as client:
        return await client.pod_text("ns", "claims-x", 5000, "/metrics")


async def test_the_text_is_the_pods() -> None:
    async with faulty(says(200, "up 1\nü 2\n")) as server:
        assert await ask(server.url) == "up 1\nü 2\n"
    (request,) = server.requests
    assert (request.method, request.path, request.headers["Accept"]) == ("GET", PATH, "text/plain")


async def test_a_text_as_large_as_a_big_server_has_comes_through() -> None:
    async with faulty(says(200, "x" * 3_000_000)) as server:
        assert len(await ask(server.url)) == 3_000_000


@pytest.mark.parametrize(
    ("answer", "error", "part"),
    [
        (refuses(401), Unauthenticated, "as the server says"),
        (refuses(403), Forbidden, "as the server says"),
        (refuses(404, "NotFound"), NotFound, "as the server says"),
        (refuses(429), Throttled, "as the server says"),
        (refuses(503, "ServiceUnavailable"), Unavailable, "as the server says"),
        (streams("half", then="break"), Unreachable, PATH),
    ],
)
async def test_a_failure_of_the_way_says_what_to_do(answer: Answer, error: type[Exception], part: str) -> None:
    async with faulty(answer) as server:
        with pytest.raises(error, match=part):
            await ask(server.url)


@pytest.mark.parametrize("code", [302, 400, 401, 403, 404, 409, 410, 429, 500, 503])
@pytest.mark.parametrize("body", ["", "<html>secret</html>", '{"error": "secret"}', "[]"])
async def test_a_failure_of_the_pod_is_its_own_and_its_words_are_not_repeated(code: int, body: str) -> None:
    async with faulty(says(code, body)) as server:
        with pytest.raises(ModelfleetError) as caught:
            await ask(server.url)
    assert type(caught.value) is Unavailable
    assert str(caught.value) == f"GET {PATH}: the pod answered HTTP {code}"


async def test_an_answer_that_is_no_text_is_none() -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(body=b"\xff\xfe")

    async with faulty(answer) as server:
        with pytest.raises(Unavailable, match="not a text"):
            await ask(server.url)


async def test_an_answer_without_an_end_is_given_up() -> None:
    async with faulty(never_ends) as server:
        with pytest.raises(Unavailable, match="larger than 4194304 bytes"):
            await ask(server.url)


async def test_an_answer_that_grows_when_it_is_decompressed_is_given_up() -> None:
    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(body=zlib.compress(bytes(50_000_000)), headers={"Content-Encoding": "deflate"})

    async with faulty(answer) as server:
        with pytest.raises(Unavailable, match="larger than 4194304 bytes"):
            await ask(server.url)


@pytest.mark.parametrize("answer", [hangs, streams("half", then="hang")])
async def test_a_pod_that_hangs_costs_no_more_than_the_time_allowed(answer: Answer) -> None:
    async with faulty(answer) as server:
        started = time.monotonic()
        with pytest.raises(Unreachable, match=PATH):
            await ask(server.url, pod_s=0.1)
    assert time.monotonic() - started < 2


async def test_pods_that_hang_take_no_place_from_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfleet.kube.client.CONNECTIONS", 0)
    async with faulty(says(200, "up 1")) as server:
        assert await ask(server.url) == "up 1"
