"""One connection over a real socket: order, what is refused, and what clients may do."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from modelserver.http.message import Request, Response
from modelserver.http.reader import Limits
from tests.support.listening import Slow, body_of, get, listening
from tests.support.until import until


async def test_a_connection_answers_one_request_after_the_other() -> None:
    async with listening() as (_, port), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for target in ("/1", "/2"):
            answer = await client.get(target)
            assert (answer.text, answer.headers["connection"]) == (target, "keep-alive")
            assert answer.headers["date"].endswith("GMT")


async def test_requests_sent_at_once_are_answered_in_their_order() -> None:
    slow = Slow()
    async with listening(slow) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/1") + get("/2") + get("/3"))
        for count, target in enumerate([b"/1", b"/2", b"/3"], start=1):
            await slow.release(count)
            assert (await body_of(reader))[1] == target
        writer.close()


async def test_a_mistake_is_answered_after_the_requests_before_it_and_ends_the_connection() -> None:
    slow = Slow()
    async with listening(slow) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/1") + b"nonsense\r\n\r\n" + get("/2"))
        await slow.release()
        assert (await body_of(reader))[1] == b"/1"
        head, _ = await body_of(reader)
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"Connection: close" in head
        assert await reader.read() == b""
        writer.close()


async def test_head_is_get_without_the_body() -> None:
    async with listening() as (_, port), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = await client.head("/longer")
        assert (answer.content, answer.headers["content-length"]) == (b"", "7")
        assert (await client.get("/next")).text == "/next"


async def test_a_client_that_waits_for_continue_gets_it() -> None:
    async with listening() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        assert (await body_of(reader))[1] == b"/aok"
        writer.close()


async def test_a_client_that_waits_for_continue_gets_it_after_the_answer_before() -> None:
    slow = Slow()
    async with listening(slow) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            get("/1") + b"POST /2 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        await slow.release()
        assert (await body_of(reader))[1] == b"/1"
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"ok")
        await slow.release(2)
        assert (await body_of(reader))[1] == b"/2ok"
        writer.close()


async def test_a_client_that_ends_its_half_first_still_gets_its_answer() -> None:
    slow = Slow()
    async with listening(slow) as (listener, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/1"))
        writer.write_eof()
        await slow.release()
        assert (await body_of(reader))[1] == b"/1"
        assert await reader.read() == b""
        await until(lambda: not listener.connections)
        writer.close()


async def test_a_client_that_is_refused_while_it_sends_can_read_why() -> None:
    """Closing a socket with unread data resets the connection, and the answer would be lost with it."""
    async with listening() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n")
        for _ in range(50):
            writer.write(b"x" * 100_000)
            await writer.drain()
        head, body = await body_of(reader)
        assert head.startswith(b"HTTP/1.1 413 ")
        assert b"100000 bytes" in body
        writer.close()


async def test_a_client_that_leaves_before_its_answer_harms_nobody() -> None:
    slow = Slow()
    async with listening(slow) as (listener, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/1"))
        await until(lambda: bool(slow.asked))
        writer.transport.abort()
        await slow.release()
        await until(lambda: not listener.connections)


async def test_a_client_that_does_not_read_is_not_answered_further() -> None:
    """Its requests wait in the kernel's buffers instead of filling the server's memory with answers."""
    answered = 0

    def large(_: Request) -> Response:
        nonlocal answered
        answered += 1
        return Response(200, b"x" * 1_000_000)

    async with listening(large) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
        writer.write(get("/") * 100)
        await until(lambda: answered > 0)
        seen = -1
        while seen != answered:  # until it comes to a stop
            seen = answered
            await asyncio.sleep(0.1)
        assert answered < 50
        for _ in range(100):
            await body_of(reader)
        writer.close()


async def test_large_bodies_and_small_ones_may_follow_each_other() -> None:
    bodies = [b"a" * 3_000_000, b"b", b"c" * 100_000, b"d" * 65_536, b"", b"e" * 1_000_000]
    async with (
        listening(limits=Limits()) as (_, port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        for body in bodies:
            assert (await client.post("/", content=body)).content == b"/" + body


async def test_large_bodies_may_be_pipelined() -> None:
    slow = Slow()
    body = b"x" * 200_000
    async with listening(slow, limits=Limits()) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        post = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n"
        writer.write(b"".join(post % number + body for number in (1, 2, 3)))
        for count in (1, 2, 3):
            await slow.release(count)
            assert (await body_of(reader))[1] == b"/%d" % count + body
        writer.close()


async def test_a_client_that_leaves_within_a_large_body_harms_nobody() -> None:
    async with listening(limits=Limits()) as (listener, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + b"x" * 100_000)
        await until(lambda: bool(listener.connections))
        await writer.drain()
        writer.transport.abort()
        await until(lambda: not listener.connections)


async def test_a_connection_too_many_is_told_so_and_the_others_are_served() -> None:
    async with listening(limits=Limits(connections=2)) as (listener, port):
        first = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        await until(lambda: len(listener.connections) == 2)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head, body = await body_of(reader)
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1" in head
        assert b"too many connections" in body
        assert await reader.read() == b""
        writer.close()
        for reader, writer in first:
            writer.write(get("/1"))
            assert (await body_of(reader))[1] == b"/1"
            writer.close()


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 300000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n493e0\r\n"]
)
async def test_large_bodies_together_hold_no_more_than_the_limit(framing: bytes) -> None:
    beginning = b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"x" * 200_000
    async with listening(limits=Limits(held_bytes=500_000)) as (listener, port):
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for _, writer in streams[:2]:
            writer.write(beginning)
        await until(lambda: listener._held_bytes > 390_000)
        reader, writer = streams[2]
        writer.write(beginning)
        head, _ = await body_of(reader)
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1" in head
        end = b"x" * 100_000 + (b"" if b"Length" in framing else b"\r\n0\r\n\r\n")
        for reader, writer in streams[:2]:
            writer.write(end)
            assert len((await body_of(reader))[1]) == 300_001
        for _, writer in streams:
            writer.close()
        await until(lambda: listener._held_bytes == 0)


async def test_every_answer_names_its_request() -> None:
    async with listening() as (_, port), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        assert (await client.get("/", headers={"X-Request-Id": "mine"})).headers["x-request-id"] == "mine"
        made_up = {(await client.get("/")).headers["x-request-id"] for _ in range(3)}
        made_up.add((await client.get("/", headers={"X-Request-Id": "x" * 257})).headers["x-request-id"])
        assert len(made_up) == 4
        assert all(len(name) > 16 for name in made_up)
