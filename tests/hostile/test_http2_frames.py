"""Frames that no client of gRPC would send: at worst the connection ends, and all others are served meanwhile."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

import grpc
import pytest

from tests.hostile.bodies import MIB, inference
from tests.hostile.conftest import settled
from tests.hostile.http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INFER,
    INITIAL_WINDOW_SIZE,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Peer,
    bare,
    block,
    call,
    connected,
    frame,
    head,
    ids,
    integer,
    message,
    settings,
)
from tests.support.server_process import ServerProcess, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

LIVE = "/inference.GRPCInferenceService/ServerLive"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
RESET = struct.pack(">I", 8)


@pytest.fixture(scope="module")
def server(models: list[str]) -> Iterator[ServerProcess]:
    """Gives a call no more than two seconds."""
    with serving(*models, "--max-body=8Mi", "--request-timeout=2") as process:
        yield process


@pytest.fixture(autouse=True)
def served(server: ServerProcess, unharmed: None) -> Iterator[None]:
    """After a test, others are served."""
    yield
    is_live(server)


def is_live(server: ServerProcess) -> None:
    """Fails unless a client of gRPC is answered at once."""
    with grpc.insecure_channel(f"127.0.0.1:{server.event('listening')['grpc_port']}") as channel:
        method = channel.unary_unary(LIVE, lambda data: data, lambda data: data)
        assert method(b"", timeout=5) == b"\x08\x01"


FOREIGN = {
    "HTTP/1.1": b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
    "TLS": bytes.fromhex("16030100f8010000f40303") + bytes(240),
    "NULs": bytes(1000),
    "half a preface and another": PREFACE[:10] + b"x" * 100,
    "no settings after the preface": PREFACE + frame(PING, payload=bytes(8)),
}


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN)
def test_another_protocol_ends_the_connection(server: ServerProcess, data: bytes) -> None:
    with bare(server) as peer:
        peer.send(data)
        assert list(peer.frames())[-1].kind in (SETTINGS, GOAWAY, WINDOW_UPDATE)


WRONG = {
    "a frame of 16 MB": frame(DATA, 0, 1, length=2**24 - 1),
    "data for no stream": frame(DATA, 0, 0, b"x"),
    "data for a stream that was never opened": frame(DATA, 0, 7, b"x"),
    "a stream of the server": frame(HEADERS, END_HEADERS, 2, head()),
    "a stream again": call(3, message(b"")) + call(3, message(b"")),
    "a push": frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + head()),
    "settings of a wrong length": frame(SETTINGS, payload=b"abc"),
    "settings that are impossible": settings((INITIAL_WINDOW_SIZE, 2**32 - 1)),
    "a ping of a wrong length": frame(PING, payload=b"abc"),
    "a window of nothing": frame(WINDOW_UPDATE, payload=bytes(4)),
    "a window beyond all bounds": frame(WINDOW_UPDATE, payload=struct.pack(">I", 2**31 - 1)) * 2,
    "a block that is no HPACK": frame(HEADERS, END_HEADERS, 1, b"\xff" * 100),
    "an index that is nothing": frame(HEADERS, END_HEADERS, 1, b"\xbe\xbf"),
    "a table of 4 GB": frame(HEADERS, END_HEADERS, 1, b"\x3f" + integer(2**32, 5)[1:]),
    "another frame within a block": frame(HEADERS, 0, 1, head()[:10]) + frame(PING, payload=bytes(8)),
    "a continuation of nothing": frame(CONTINUATION, END_HEADERS, 1, head()),
    "padding beyond the frame": frame(DATA, 8, 1, b"\xff"),
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_a_frame_that_is_forbidden_ends_the_connection(server: ServerProcess, data: bytes) -> None:
    with connected(server) as peer:
        peer.send(data)
        assert peer.until(GOAWAY)


REFUSED = {
    "no path": block((":method", "POST"), (":scheme", "http"), (":authority", "x")),
    "CONNECT": block((":method", "CONNECT"), (":authority", "x:1")),
    "CONNECT to gRPC": block((":method", "CONNECT"), (":authority", "x:1"), ("content-type", "application/grpc")),
    "GET": block((":method", "GET"), (":scheme", "http"), (":path", INFER), (":authority", "x")),
    "an empty path": head(""),
    "another content type": block(
        (":method", "POST"), (":scheme", "http"), (":path", INFER), ("content-type", "application/json")
    ),
    "a pseudo header that is unknown": head(INFER, (":x", "y")),
    "a name in upper case": head(INFER, ("X-Upper", "y")),
    "a connection header": head(INFER, ("connection", "close")),
    "a path twice": head(INFER, (":path", INFER)),
    "a newline in a value": head(INFER, ("x", "a\r\nb: c")),
    "a path that is no text": head("/\udcff".encode("utf-8", "surrogatepass").decode("latin-1")),
    "an unknown method": head("/inference.GRPCInferenceService/Nothing"),
    "an unknown service": head("/nothing/at/all"),
}


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
def test_a_call_with_wrong_headers_ends_and_the_next_one_is_answered(
    server: ServerProcess, headers: bytes
) -> None:
    with connected(server) as peer:
        peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, headers) + call(3, message(b""), LIVE))
        for found in peer.frames():
            if found.stream == 3 and found.kind == DATA:
                break
        else:
            pytest.fail("the connection ended")


def test_headers_without_end_are_refused(server: ServerProcess) -> None:
    with connected(server) as peer:
        peer.send(frame(HEADERS, 0, 1, head()))
        filler = frame(CONTINUATION, 0, 1, block(("x-filler", "a" * 10_000)))
        peer.send(filler * 100)
        ended_without_answer(peer)


def test_headers_that_grow_when_they_are_unpacked_are_refused(server: ServerProcess) -> None:
    """One header of 4 KB is remembered, and then named ten thousand times, by a byte each."""
    remembered = b"\x40" + integer(1, 7) + b"a" + integer(4000, 7) + b"b" * 4000
    with connected(server) as peer:
        peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, head() + remembered + b"\xbe" * 10_000))
        ended_without_answer(peer)


def test_calls_that_are_taken_back_at_once_cost_little(server: ServerProcess) -> None:
    """Rapid reset, CVE-2023-44487: a hundred thousand calls."""
    begun = [frame(HEADERS, END_HEADERS | END_STREAM, number, head()) for number in ids(100_000)]
    with connected(server) as peer:
        started = time.monotonic()
        for first in range(0, len(begun), 1000):
            numbers = ids(100_000)[first : first + 1000]
            pairs = zip(begun[first : first + 1000], numbers, strict=True)
            if not peer.send(b"".join(each + frame(RST_STREAM, 0, number, RESET) for each, number in pairs)):
                break
        assert time.monotonic() - started < 10
        is_live(server)


FLOODS = {
    "settings": settings((INITIAL_WINDOW_SIZE, 65535)),
    "pings": frame(PING, payload=bytes(8)),
    "acknowledged pings": frame(PING, ACK, payload=bytes(8)),
    "priorities": frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 1)),
    "windows": frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)),
    "unknown frames": frame(99, 0, 0, b"x" * 10),
    "empty headers": frame(CONTINUATION, 0, 1),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_flood_of_small_frames_whose_answers_nobody_reads_is_bounded(
    server: ServerProcess, flood: bytes
) -> None:
    with connected(server, seconds=1.0) as peer:
        peer.send(frame(HEADERS, 0 if flood[3] == CONTINUATION else END_HEADERS, 1, head()))
        started = time.monotonic()
        for _ in range(300):
            if not peer.send(flood * 1000):
                break
        assert time.monotonic() - started < 15
        is_live(server)


def test_empty_data_is_bounded_in_time(server: ServerProcess) -> None:
    with connected(server, seconds=1.0) as peer:
        peer.send(frame(HEADERS, END_HEADERS, 1, head()))
        started = time.monotonic()
        while time.monotonic() - started < 4 and peer.send(frame(DATA, 0, 1) * 1000):
            pass
    is_live(server)


def test_a_client_that_opens_no_window_is_cut(server: ServerProcess) -> None:
    """Answers of megabytes that it asks for and does not let in."""
    body = message(inference(bytes(MIB), (MIB // 4,)))
    with connected(server, (INITIAL_WINDOW_SIZE, 0)) as peer:
        for number in ids(20):
            peer.send(frame(HEADERS, END_HEADERS, number, head()))
            for start in range(0, len(body), 16384):
                last = END_STREAM if start + 16384 >= len(body) else 0
                peer.send(frame(DATA, last, number, body[start : start + 16384]))
        resets = 0
        for found in peer.frames():
            resets += found.kind == RST_STREAM
            if resets == 20:
                break
        is_live(server)


def test_more_calls_at_once_than_allowed_are_refused_and_those_within_are_cut(server: ServerProcess) -> None:
    with connected(server) as peer:
        peer.send(b"".join(frame(HEADERS, END_HEADERS, number, head()) for number in ids(5000)))
        seen: set[int] = set()
        for found in peer.frames():
            seen |= {found.stream} if found.kind in (RST_STREAM, HEADERS) else set()
            if len(seen) == 5000 or found.kind == GOAWAY:
                break
        is_live(server)


def test_who_says_hello_and_nothing_else_is_cut(server: ServerProcess) -> None:
    with bare(server) as silent:
        silent.send(PREFACE)
        assert [found.kind for found in silent.frames()][-1:] in ([SETTINGS], [GOAWAY], [WINDOW_UPDATE])


def test_half_a_call_is_told_and_cut(server: ServerProcess) -> None:
    with connected(server) as peer:
        peer.send(frame(HEADERS, END_HEADERS, 1, head()) + frame(DATA, 0, 1, message(b"abc", length=100)))
        started = time.monotonic()
        found = peer.until(RST_STREAM)
        assert found
        assert 1.9 < time.monotonic() - started < 5


def test_questions_to_reflection_that_nobody_reads_the_answers_of_are_bounded(server: ServerProcess) -> None:
    with connected(server, seconds=1.0) as peer:
        peer.send(frame(HEADERS, END_HEADERS, 1, head(REFLECTION)))
        started = time.monotonic()
        for _ in range(300):
            if not peer.send(frame(DATA, 0, 1, message(b"") * 3000)):
                break
        assert time.monotonic() - started < 15
        is_live(server)
    settled(server)


def ended_without_answer(peer: Peer) -> None:
    """Fails unless the connection ends, and no call on it was answered."""
    assert not {HEADERS, DATA} & {found.kind for found in peer.frames()}
