"""Requests are read the same however the network cuts them, and limits are kept."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserver.http.message import Request, Response
from modelserver.http.reader import LARGE, Limits, Reader

LIMITS = Limits(head_bytes=500, body_bytes=1000)
GET = b"GET /score HTTP/1.1\r\nHost: a\r\n\r\n"


def read(*pieces: bytes, limits: Limits = LIMITS) -> list[Request | Response]:
    reader = Reader(limits)
    return [message for piece in pieces for message in reader.feed(piece)]


def refusal(*pieces: bytes) -> int:
    (message,) = read(*pieces)
    assert isinstance(message, Response)
    return message.status


@dataclass(frozen=True)
class Sent:
    """A request, and whether its body is sent in chunks."""

    target: str
    body: bytes
    chunked: bool

    @property
    def wire(self) -> bytes:
        if self.chunked:
            halves = [self.body[: len(self.body) // 2], self.body[len(self.body) // 2 :]]
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(half), half) for half in halves if half)
            framing, body = b"Transfer-Encoding: chunked", chunks + b"0\r\n\r\n"
        else:
            framing, body = b"content-length: %d" % len(self.body), self.body
        return b"POST %s HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n%s" % (self.target.encode(), framing, body)


REQUESTS = st.builds(Sent, st.sampled_from(["/", "/score?model_name=a"]), st.binary(max_size=400), st.booleans())


@given(st.lists(REQUESTS, max_size=5), st.data())
def test_requests_are_read_the_same_however_they_are_cut(sent: list[Sent], data: st.DataObject) -> None:
    wire = b"".join(request.wire for request in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    pieces = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    found = read(*[piece for piece in pieces if piece])
    assert [message.keep_alive for message in found] == [True] * len(sent)
    assert [(m.target, m.body) for m in found if isinstance(m, Request)] == [(s.target, s.body) for s in sent]


@given(st.binary(min_size=1, max_size=300))
def test_arbitrary_bytes_are_a_request_a_400_or_not_yet_anything(data: bytes) -> None:
    for message in read(data):
        assert isinstance(message, Request) or message.status == 400


@pytest.mark.parametrize(
    ("request_bytes", "keep_alive"),
    [
        (GET, True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", False),
    ],
)
def test_the_request_says_whether_another_may_follow(request_bytes: bytes, keep_alive: bool) -> None:
    (message,) = read(request_bytes)
    assert isinstance(message, Request)
    assert message.keep_alive is keep_alive


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\n\r\n",  # no Host
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS greeting
    ],
)
def test_what_is_not_http_is_a_bad_request(request_bytes: bytes) -> None:
    assert refusal(request_bytes) == 400


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent() -> None:
    assert refusal(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n") == 413


def test_a_body_in_chunks_is_refused_as_soon_as_it_is_too_large() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert refusal(head, b"3e8\r\n" + b"x" * 1000 + b"\r\n", b"1\r\nx\r\n") == 413


def test_a_body_of_the_largest_size_is_read() -> None:
    (message,) = read(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)
    assert isinstance(message, Request)
    assert len(message.body) == 1000


@pytest.mark.parametrize(
    "pieces",
    [
        [b"GET /" + b"x" * 600 + b" HTTP/1.1\r\nHost: a\r\n\r\n"],
        [b"GET / HTTP/1.1\r\nHost: a\r\n", *[b"X-%d: y\r\n" % i for i in range(100)]],
        [b"GET / HTTP/1.1\r\nHost: ", *[b"x" * 10] * 100],  # a header that never ends
    ],
)
def test_a_head_that_is_too_large_is_refused(pieces: list[bytes]) -> None:
    assert refusal(*pieces) == 431


def test_bodies_do_not_count_as_heads_when_requests_follow_each_other_closely() -> None:
    post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n" + b"x" * 900
    assert all(message.keep_alive for message in read(post + post[:30], post[30:] + post[:30], post[30:]))


def test_a_client_that_waits_for_continue_is_noticed_until_its_body_comes() -> None:
    reader = Reader(LIMITS)
    assert reader.feed(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n") == []
    assert reader.awaited
    (message,) = reader.feed(b"ok")
    assert message.keep_alive
    assert not reader.awaited


def test_any_other_expectation_is_refused() -> None:
    assert refusal(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 2\r\n\r\n") == 417


def test_a_large_body_is_received_into_its_place_and_the_next_request_is_read() -> None:
    reader = Reader(Limits())
    body = bytes(range(256)) * (LARGE // 128)
    assert reader.feed(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:1000]) == []
    rest = reader.rest()
    assert rest is not None
    rest[:] = body[1000:]
    (message,) = reader.complete()
    assert isinstance(message, Request)
    assert (bytes(message.body), message.keep_alive, reader.rest()) == (body, True, None)
    assert [message.keep_alive for message in reader.feed(GET)] == [True]


def test_a_large_body_that_comes_at_once_is_complete_at_once() -> None:
    body = b"x" * LARGE
    (message,) = read(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body, limits=Limits()
    )
    assert isinstance(message, Request)
    assert bytes(message.body) == body


@pytest.mark.parametrize(
    "request_bytes", [b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", b"GET / HTTP/0.9\r\nHost: a\r\n\r\n"]
)
def test_another_version_of_http_is_refused(request_bytes: bytes) -> None:
    assert refusal(request_bytes) == 505


def test_a_body_in_many_small_chunks_holds_no_more_than_its_bytes() -> None:
    reader = Reader(Limits())
    reader.feed(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(1000):
        assert reader.feed(b"2\r\nab\r\n" * 100) == []
    assert reader.held_bytes == 200_000
    (message,) = reader.feed(b"0\r\n\r\n")
    assert isinstance(message, Request)
    assert bytes(message.body) == b"ab" * 100_000
    assert reader.held_bytes == 0


def test_trailers_change_nothing_and_are_limited() -> None:
    chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    (message,) = read(chunked + b"Host: b\r\nX-More: c\r\n\r\n")
    assert isinstance(message, Request)
    assert message.headers == {b"host": b"a", b"transfer-encoding": b"chunked"}
    assert refusal(chunked + b"X-More: c\r\n" * 100 + b"\r\n") == 431


def test_a_body_is_kept_by_nobody_but_its_request() -> None:
    """Reader and parser know each other, so what the reader kept would wait for the garbage collector."""
    reader = Reader(Limits())
    (message,) = reader.feed(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000)
    assert isinstance(message, Request)
    assert isinstance(message.body, memoryview)
    body = weakref.ref(message.body.obj)
    del message
    assert body() is None
