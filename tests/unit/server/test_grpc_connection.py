"""One connection of gRPC over a real socket: what it answers, its limits, and how it ends."""

from __future__ import annotations

import asyncio
import struct
import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from ngh2 import Configuration, ErrorCode

from modelserver.errors import BadRequest
from modelserver.grpc import connection as connections
from modelserver.grpc.listener import Listener
from modelserver.grpc.message import Call, Code, Reply
from modelserver.http import port as ports
from modelserver.http.reader import Limits
from modelserver.http.sockets import bind
from tests.support.http2_peer import Answer, Peer, connected, framed
from tests.support.until import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

PATIENT = Limits(body_bytes=100_000, request_s=60, linger_s=60)


class Server:
    """A listener with three methods: /echo, /later (when the test says so), and /each for a stream of messages."""

    def __init__(self, limits: Limits) -> None:
        self.waiting: list[tuple[Call, Callable[[Reply], None]]] = []
        self.held = 0
        self.limits = limits
        unary = {"/echo": echo, "/later": lambda *call: self.waiting.append(call)}
        self.listener = Listener(unary, {"/each": doubled}, limits, self.hold)
        self.sock = bind("127.0.0.1", 0)
        self.port: int = self.sock.getsockname()[1]

    def hold(self, count: int) -> bool:
        self.held += count
        return self.held <= self.limits.held_bytes

    async def release(self) -> None:
        """Answers the oldest call that waits."""
        await until(lambda: bool(self.waiting))
        call, reply = self.waiting.pop(0)
        echo(call, reply)


def echo(call: Call, reply: Callable[[Reply], None]) -> None:
    reply(Reply([call.body]))


def doubled(message: bytes) -> bytes:
    if message == b"bad":
        raise BadRequest("this is bad")
    return message * 2


@asynccontextmanager
async def serving(limits: Limits = PATIENT) -> AsyncIterator[Server]:
    server = Server(limits)
    await server.listener.start(server.sock)
    yield server
    if not server.listener.draining:
        await server.listener.drain(0, 0)


@asynccontextmanager
async def talking(limits: Limits = PATIENT) -> AsyncIterator[tuple[Server, Peer]]:
    async with serving(limits) as server, connected(server.port) as peer:
        yield server, peer


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The listener looks at its connections all the time."""
    monkeypatch.setattr(ports, "TICK_S", 0.01)


# Calls


async def test_a_call_is_answered_with_its_message_and_its_name() -> None:
    async with talking() as (_, peer):
        answer = await peer.answer(peer.call("/echo", framed(b"hello"), (b"x-request-id", b"7")))
    assert answer.body == framed(b"hello")
    assert answer.headers[b":status"] == b"200"
    assert answer.headers[b"content-type"] == b"application/grpc"
    assert answer.headers[b"x-request-id"] == b"7"
    assert answer.code == Code.OK


async def test_calls_are_answered_as_they_get_ready_not_as_they_came() -> None:
    async with talking() as (server, peer):
        first = peer.call("/later", framed(b"1"))
        second = peer.call("/echo", framed(b"2"))
        assert (await peer.answer(second)).body == framed(b"2")
        assert not peer.answers[first].closed
        await server.release()
        assert (await peer.answer(first)).body == framed(b"1")


async def test_a_message_may_come_in_pieces() -> None:
    message = framed(bytes(range(256)) * 300)
    async with talking() as (_, peer):
        stream = peer.call("/echo", end=False)
        for start in range(0, len(message), 1000):
            peer.session.send_data(stream, message[start : start + 1000])
            await peer.send()
        peer.session.end_stream(stream)
        assert (await peer.answer(stream)).body == message


@pytest.mark.parametrize(
    "sent", [b"", b"\0\0", framed(b"abc")[:-1], framed(b"a") + framed(b"b"), b"\2" + framed(b"a")[1:]]
)
async def test_what_is_not_one_whole_message_is_refused(sent: bytes) -> None:
    async with talking() as (_, peer):
        answer = await peer.answer(peer.call("/echo", sent))
    assert (answer.code, answer.body) == (Code.INVALID_ARGUMENT, b"")


async def test_a_method_that_is_not_there_is_named() -> None:
    async with talking() as (_, peer):
        answer = await peer.answer(peer.call("/inference.GRPCInferenceService/Ünknown", framed(b"")))
    assert answer.code == Code.UNIMPLEMENTED
    assert "/inference.GRPCInferenceService/" in answer.sentence


async def test_it_is_no_proxy() -> None:
    async with talking() as (_, peer):
        stream = peer.session.send_request([(b":method", b"CONNECT"), (b":authority", b"somewhere:443")])
        peer.answers[stream] = Answer()
        assert (await peer.answer(stream)).headers == {b":status": b"415"}
        assert (await peer.answer(peer.call("/echo", framed(b"1")))).code == Code.OK


async def test_what_is_not_grpc_is_told_so() -> None:
    async with talking() as (_, peer):
        answer = await peer.answer(peer.call("/echo", b"{}", (b"content-type", b"application/json")))
    assert answer.headers == {b":status": b"415"}


async def test_each_message_of_a_stream_is_answered_when_it_comes() -> None:
    async with talking() as (_, peer):
        stream = peer.call("/each", framed(b"a") + framed(b"b")[:3], end=False)
        await peer.until(lambda: peer.answers[stream].body == framed(b"aa"))
        peer.session.send_data(stream, framed(b"b")[3:], end_stream=True)
        answer = await peer.answer(stream)
    assert (answer.body, answer.code) == (framed(b"aa") + framed(b"bb"), Code.OK)


async def test_a_mistake_in_a_stream_ends_it_with_a_sentence() -> None:
    async with talking() as (_, peer):
        stream = peer.call("/each", framed(b"a") + framed(b"bad"), end=False)
        await peer.until(lambda: peer.answers[stream].code is not None)
        answer = peer.answers[stream]
    assert (answer.body, answer.code, answer.sentence) == (framed(b"aa"), Code.INVALID_ARGUMENT, "this is bad")


# Compression


@pytest.mark.parametrize(("name", "bits"), [(b"gzip", 31), (b"deflate", 15)])
async def test_who_sends_a_compressed_message_gets_one(name: bytes, bits: int) -> None:
    message = b"abc" * 1000
    packer = zlib.compressobj(wbits=bits)
    packed = packer.compress(message) + packer.flush()
    async with talking() as (_, peer):
        answer = await peer.answer(peer.call("/echo", framed(packed, 1), (b"grpc-encoding", name)))
    assert (answer.code, answer.headers[b"grpc-encoding"]) == (Code.OK, name)
    assert answer.body[0] == 1
    assert len(answer.body) < 200
    assert zlib.decompress(answer.body[5:], wbits=bits) == message


async def test_an_unknown_compression_is_refused() -> None:
    async with talking() as (_, peer):
        answer = await peer.answer(peer.call("/echo", framed(b"x", 1), (b"grpc-encoding", b"snappy")))
    assert (answer.code, "snappy" in answer.sentence) == (Code.UNIMPLEMENTED, True)


async def test_what_is_small_only_while_it_is_compressed_is_refused() -> None:
    async with talking() as (_, peer):
        bomb = zlib.compress(bytes(10_000_000))
        answer = await peer.answer(peer.call("/echo", framed(bomb, 1), (b"grpc-encoding", b"deflate")))
    assert answer.code == Code.RESOURCE_EXHAUSTED


# Limits


async def test_a_message_that_is_too_large_is_refused_before_it_is_there() -> None:
    async with talking() as (server, peer):
        stream = peer.call("/echo", struct.pack(">BI", 0, 2**31) + bytes(PATIENT.body_bytes), end=False)
        answer = await peer.answer(stream)
        assert (answer.code, answer.reset) == (Code.RESOURCE_EXHAUSTED, ErrorCode.NO_ERROR)
        assert (await peer.answer(peer.call("/echo", framed(b"next")))).code == Code.OK
        assert server.held == 0


async def test_what_arrives_counts_until_it_is_answered() -> None:
    async with talking() as (server, peer):
        stream = peer.call("/later", framed(bytes(90_000))[:-1], end=False)
        await peer.send()
        await peer.until(lambda: server.held > 90_000)
        peer.session.send_data(stream, b"\0", end_stream=True)
        await peer.send()
        await peer.until(lambda: len(server.waiting) == 1)
        assert server.held > 90_000
        await server.release()
        await peer.answer(stream)
        assert server.held == 0


async def test_more_than_the_server_may_hold_is_refused_for_now() -> None:
    async with talking(Limits(body_bytes=100_000, held_bytes=150_000)) as (server, peer):
        first = peer.call("/echo", framed(bytes(90_000))[:-1], end=False)
        await peer.send()
        await peer.until(lambda: server.held > 90_000)
        answer = await peer.answer(peer.call("/echo", framed(bytes(90_000)), end=False))
        assert (answer.code, answer.headers[b"grpc-retry-pushback-ms"]) == (Code.UNAVAILABLE, b"1000")
        peer.session.send_data(first, b"\0", end_stream=True)
        assert (await peer.answer(first)).code == Code.OK
        assert server.held == 0


@pytest.mark.usefixtures("quick")
async def test_a_call_that_never_arrives_is_given_up() -> None:
    async with talking(Limits(request_s=0.1)) as (_, peer):
        answer = await peer.answer(peer.call("/echo", framed(b"abc")[:-1], end=False))
    assert (answer.code, "did not arrive within 0.1 s" in answer.sentence) == (Code.DEADLINE_EXCEEDED, True)


@pytest.mark.usefixtures("quick")
async def test_a_reply_that_nobody_reads_is_given_up() -> None:
    deaf = Configuration(auto_window_update=False)
    async with serving(Limits(request_s=0.1)) as server, connected(server.port, deaf) as peer:
        answer = await peer.answer(peer.call("/echo", framed(bytes(90_000))))
    assert (answer.reset, answer.code) == (ErrorCode.CANCEL, None)


@pytest.mark.usefixtures("quick")
async def test_who_never_greets_is_cut_off() -> None:
    async with serving(Limits(request_s=0.1)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await until(lambda: bool(server.listener.connections))
        async with asyncio.timeout(5):
            while await reader.read(1000):
                pass
        await until(lambda: not server.listener.connections)
        writer.close()


@pytest.mark.usefixtures("quick")
async def test_a_silent_client_is_asked_whether_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SILENT_S", 0.1)
    async with talking(Limits(request_s=0.2)) as (server, peer):
        heard = asyncio.get_running_loop().time()
        # It answers for a while, and then no longer.
        await peer.until(lambda: asyncio.get_running_loop().time() > heard + 1)
        assert len(server.listener.connections) == 1
        await until(lambda: not server.listener.connections)


async def test_one_connection_too_many_is_sent_away() -> None:
    async with talking(Limits(connections=1)) as (server, first), connected(server.port) as second:
        await second.until(lambda: bool(second.farewells))
        assert (await first.answer(first.call("/echo", framed(b"a")))).code == Code.OK


async def test_what_is_not_http_2_ends_the_connection() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()
        await until(lambda: not server.listener.connections)


# Calls that are given up


async def test_a_reply_to_a_call_that_was_given_up_is_dropped() -> None:
    async with talking() as (server, peer):
        stream = peer.call("/later", framed(b"1"))
        await peer.send()
        await until(lambda: bool(server.waiting))
        peer.session.reset_stream(stream, ErrorCode.CANCEL)
        assert (await peer.answer(peer.call("/echo", framed(b"2")))).code == Code.OK
        await server.release()
        assert (await peer.answer(peer.call("/echo", framed(b"3")))).code == Code.OK


async def test_a_call_that_is_given_up_in_the_same_breath_does_no_harm() -> None:
    async with talking() as (_, peer):
        for path in ("/echo", "/each", "/unknown"):
            stream = peer.call(path, framed(b"1"), end=path == "/echo")
            peer.writer.write(peer.session.data_to_send())  # not sent before the reset overtakes it
            peer.session.reset_stream(stream, ErrorCode.CANCEL)
        assert (await peer.answer(peer.call("/echo", framed(b"2")))).code == Code.OK


async def test_a_reply_after_the_connection_is_dropped() -> None:
    async with serving() as server:
        async with connected(server.port) as peer:
            peer.call("/later", framed(bytes(90_000)))
            await peer.until(lambda: bool(server.waiting))
        await until(lambda: not server.listener.connections)
        await server.release()
        assert server.held == 0


# Leave


async def test_it_takes_leave_without_losing_a_call() -> None:
    async with talking() as (server, peer):
        first = peer.call("/later", framed(b"1"))
        await peer.send()
        await until(lambda: bool(server.waiting))
        drained = asyncio.create_task(server.listener.drain(0, 10))
        await until(lambda: server.listener.draining)
        second = peer.call("/echo", framed(b"2"))  # before it has read the farewell
        assert (await peer.answer(second)).code == Code.OK
        await peer.until(lambda: len(peer.farewells) == 2)
        assert peer.farewells == [2**31 - 1, second]
        await server.release()
        assert (await peer.answer(first)).code == Code.OK
        await peer.until(lambda: peer.ended)
        assert await drained == 0


async def test_a_client_that_does_not_answer_does_not_hold_it_up(
    monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    monkeypatch.setattr(connections, "FAREWELL_S", 0.05)
    async with serving(Limits(linger_s=0.05)) as server, connected(server.port):
        await until(lambda: bool(server.listener.connections))
        assert await server.listener.drain(0, 5) == 0


async def test_a_client_that_takes_leave_itself_does_not_hold_it_up() -> None:
    async with talking() as (server, peer):
        assert (await peer.answer(peer.call("/echo", framed(b"1")))).code == Code.OK
        peer.session.send_goaway()
        peer.writer.write(peer.session.data_to_send())
        drained = asyncio.create_task(server.listener.drain(0, 5))
        await peer.until(lambda: peer.ended)
        peer.writer.close()
        assert await drained == 0


async def test_a_call_that_does_not_end_is_counted() -> None:
    async with talking() as (server, peer):
        peer.call("/later", framed(b"1"))
        await peer.send()
        await until(lambda: bool(server.waiting))
        assert await server.listener.drain(0, 0.1) == 1


async def test_who_is_connected_is_told_at_once_though_it_still_accepts() -> None:
    async with talking() as (server, peer):
        drained = asyncio.create_task(server.listener.drain(60, 10))
        await peer.until(lambda: peer.ended)
        async with connected(server.port) as other:
            assert (await other.answer(other.call("/echo", framed(b"1")))).code == Code.OK
        drained.cancel()


async def test_who_connects_while_it_still_accepts_is_served() -> None:
    async with serving() as server:
        drained = asyncio.create_task(server.listener.drain(0.3, 10))
        async with connected(server.port) as peer:
            assert (await peer.answer(peer.call("/echo", framed(b"1")))).code == Code.OK
            await peer.until(lambda: peer.ended)
        assert await drained == 0
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", server.port)


@pytest.mark.usefixtures("quick")
async def test_an_old_connection_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_AGE_S", 0.1)
    async with talking() as (server, peer):
        await peer.until(lambda: peer.ended)
        assert peer.farewells[0] == 2**31 - 1
        async with connected(server.port) as other:
            assert (await other.answer(other.call("/echo", framed(b"1")))).code == Code.OK
