"""How a connection over a real socket ends: limits in time, age, and the end of the server."""

from __future__ import annotations

import asyncio
import socket

import pytest

from modelserver.http import connection as connections
from modelserver.http import port as ports
from modelserver.http.message import Response
from modelserver.http.reader import Limits
from tests.support.listening import Slow, body_of, get, listening
from tests.support.until import until


@pytest.fixture
def quick_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "TICK_S", 0.02)


@pytest.mark.usefixtures("quick_ticks")
async def test_an_idle_connection_is_closed_after_its_time() -> None:
    async with listening(limits=Limits(idle_s=0.1)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/1"))
        await body_of(reader)
        assert await reader.read() == b""
        writer.close()


@pytest.mark.usefixtures("quick_ticks")
@pytest.mark.parametrize(
    "beginning", [b"G", get("/")[:-2], b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"]
)
async def test_a_request_that_does_not_arrive_in_time_is_refused(beginning: bytes) -> None:
    async with listening(limits=Limits(request_s=0.1)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(beginning)
        head, _ = await body_of(reader)
        assert head.startswith(b"HTTP/1.1 408 ")
        assert await reader.read() == b""
        writer.close()


@pytest.mark.usefixtures("quick_ticks")
async def test_an_answer_that_takes_too_long_is_given_up() -> None:
    slow = Slow()
    async with listening(slow, limits=Limits(request_s=0.1)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/1"))
        head, body = await body_of(reader)
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"no answer within 0.1 s" in body
        await slow.release()  # too late: nobody is confused by it
        assert await reader.read() == b""
        writer.close()


@pytest.mark.usefixtures("quick_ticks")
async def test_a_slow_client_gets_the_whole_of_a_large_answer_while_the_server_drains() -> None:
    size, limits = 20_000_000, Limits(idle_s=0.1, linger_s=0.1)
    async with listening(lambda _: Response(200, b"x" * size), limits) as (listener, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
        writer.write(get("/"))
        await reader.readuntil(b"\r\n\r\n")
        draining = asyncio.create_task(listener.drain(0, 10))
        received = 0
        while piece := await reader.read(2_000_000):
            received += len(piece)
            if received < size / 4:
                await asyncio.sleep(0.05)  # slower than all the limits together
        assert received == size
        writer.close()
        assert await draining == 0


@pytest.mark.usefixtures("quick_ticks")
async def test_a_client_that_never_reads_is_cut_off() -> None:
    async with listening(lambda _: Response(200, b"x" * 20_000_000), Limits(request_s=0.2)) as (listener, port):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(get("/"))
            await until(lambda: bool(listener.connections))
            await until(lambda: not listener.connections)


@pytest.mark.usefixtures("quick_ticks")
async def test_a_client_that_never_closes_its_half_is_cut_off() -> None:
    async with listening(limits=Limits(linger_s=0.1)) as (listener, port):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(get("/", "Connection: close"))
            await until(lambda: bool(listener.connections))
            await until(lambda: not listener.connections)


async def test_an_old_connection_ends_with_an_answer_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_AGE_S", 0.2)
    async with listening() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answers = 0
        while not reader.at_eof():
            writer.write(get("/"))
            head, _ = await body_of(reader)
            answers += 1
            if b"Connection: close" in head:
                assert await reader.read() == b""
        assert answers > 1
        writer.close()


async def test_an_old_connection_answers_all_that_was_asked_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_AGE_S", 0.0)
    slow = Slow()
    async with listening(slow) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        *first, last = get("/1") + get("/2")
        writer.write(bytes(first))
        await slow.release(1)
        assert b"keep-alive" in (await body_of(reader))[0]  # for the second is on its way
        writer.write(bytes([last]))
        await slow.release(2)
        head, body = await body_of(reader)
        assert (body, b"Connection: close" in head) == (b"/2", True)
        assert await reader.read() == b""
        writer.close()


async def test_connections_in_the_backlog_are_taken_before_the_port_closes() -> None:
    async with listening() as (listener, port):
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        for client in clients:
            client.sendall(get("/late"))
        draining = asyncio.ensure_future(listener.drain(0, 10))  # before the loop has accepted any of them
        for client in clients:
            answer = await asyncio.to_thread(client.recv, 1000)
            assert b"200 OK" in answer
            assert b"Connection: close" in answer
            client.close()
        assert await draining == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
