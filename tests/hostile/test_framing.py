"""Bytes that are not one plain HTTP/1.1 request: refused, and nothing after them is taken for a request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.hostile.conftest import GOOD, MAX_BODY
from tests.hostile.wire import Wire, request, told, wired

if TYPE_CHECKING:
    from tests.support.server_process import ServerProcess

HOST = "Host: x"
CHUNKED = "Transfer-Encoding: chunked"
SMUGGLED = b"GET /v2/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def post(*headers: str, body: bytes = b"", line: str = "POST /score HTTP/1.1") -> bytes:
    """A request with exactly these headers."""
    return "\r\n".join([line, *headers, "", ""]).encode("latin-1") + body


AMBIGUOUS = {
    "length and chunked": post(HOST, "Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"),
    "chunked and length": post(HOST, CHUNKED, "Content-Length: 5", body=b"0\r\n\r\n"),
    "two lengths": post(HOST, "Content-Length: 5", "Content-Length: 6", body=b"hello!"),
    "a length twice": post(HOST, "Content-Length: 5", "Content-Length: 5", body=b"hello"),
    "a list of lengths": post(HOST, "Content-Length: 5, 5", body=b"hello"),
    "a signed length": post(HOST, "Content-Length: +5", body=b"hello"),
    "a negative length": post(HOST, "Content-Length: -5", body=b"hello"),
    "a hexadecimal length": post(HOST, "Content-Length: 0x5", body=b"hello"),
    "a length of 2^70": post(HOST, f"Content-Length: {2**70}"),
    "gzip as transfer coding": post(HOST, "Transfer-Encoding: gzip"),
    "chunked before gzip": post(HOST, "Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"),
    "chunked twice": post(HOST, CHUNKED, CHUNKED, body=b"0\r\n\r\n"),
    "nearly chunked": post(HOST, "Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "a space before the colon": post(HOST, "Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
    "a tab in a name": post(HOST, "Transfer\tEncoding: chunked", body=b"0\r\n\r\n"),
    "a folded header": post(HOST, "A: b", " c: d", "Content-Length: 0"),
    "a NUL in a header": post(HOST, "A: b\0c", "Content-Length: 0"),
    "a bare CR in a header": post(HOST, "A: b\rContent-Length: 5"),
    "bare LFs": b"POST /score HTTP/1.1\nHost: x\nContent-Length: 0\n\n",
    "a header without a colon": post(HOST, "A", "Content-Length: 0"),
    "two hosts": post(HOST, "Host: y", "Content-Length: 0"),
    "no host": post("Content-Length: 0"),
    "a chunk size that is no number": post(HOST, CHUNKED, body=b"zz\r\nhello\r\n0\r\n\r\n"),
    "a negative chunk size": post(HOST, CHUNKED, body=b"-5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size of 2^68": post(HOST, CHUNKED, body=b"fffffffffffffffff\r\nhello"),
    "a chunk that is longer": post(HOST, CHUNKED, body=b"2\r\nhello\r\n0\r\n\r\n"),
    "a length after the last chunk": post(HOST, CHUNKED, body=b"0\r\nContent-Length: 5\r\n\r\n"),
}

FOREIGN = {
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "TLS": bytes.fromhex("16030100f8010000f40303") + bytes(240),
    "every byte": bytes(range(256)) * 10,
    "NULs": bytes(1000),
    "HTTP/2.0 in plain text": post(HOST, line="GET / HTTP/2.0"),
    "HTTP/1.2": post(HOST, line="GET / HTTP/1.2"),
    "HTTP/0.9": post(line="GET /"),
    "HTTP/0.9 with its version": post(HOST, line="GET / HTTP/0.9"),
    "a method in lower case": post(HOST, line="get / HTTP/1.1"),
    "no method": post(HOST, line=" / HTTP/1.1"),
    "a space in the target": post(HOST, line="GET /a b HTTP/1.1"),
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n" + bytes(100),
}


@pytest.mark.parametrize("data", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_a_request_that_proxies_may_read_otherwise_is_refused_and_ends_the_connection(
    server: ServerProcess, data: bytes
) -> None:
    with wired(server) as wire:
        wire.send(data + SMUGGLED)
        refused_and_closed(wire, 400)


@pytest.mark.parametrize("data", FOREIGN.values(), ids=FOREIGN)
def test_another_protocol_is_refused_and_ends_the_connection(server: ServerProcess, data: bytes) -> None:
    with wired(server) as wire:
        wire.send(data + SMUGGLED)
        refused_and_closed(wire, 400, 505)


def test_a_line_that_is_no_request_and_an_end_are_no_request(server: ServerProcess) -> None:
    for data in (b"GET /\r\n", b"GET / HTTP/1.1\r\nHost", b"\r\n\r\n", b""):
        answer = told(server, data)
        assert answer is None or answer.status == 400


def test_ten_gigabytes_are_refused_before_they_are_sent(server: ServerProcess) -> None:
    for headers in ((), ("Expect: 100-continue",)):
        with wired(server) as wire:
            started = time.monotonic()
            wire.send(request(b"", *headers, length=10 * 1024**3))
            refused_and_closed(wire, 413)
            assert time.monotonic() - started < 5


def test_a_byte_more_than_allowed_is_refused_and_the_most_allowed_is_not(server: ServerProcess) -> None:
    with wired(server) as wire:
        wire.send(request(b"", length=MAX_BODY + 1))
        refused_and_closed(wire, 413)
    answer = told(server, request(GOOD.ljust(MAX_BODY)))
    assert answer
    assert answer.status == 200


def test_chunks_are_counted_as_they_come(server: ServerProcess) -> None:
    chunk = b"100000\r\n" + bytes(0x100000) + b"\r\n"
    with wired(server) as wire:
        wire.send(post(HOST, CHUNKED))
        for _ in range(MAX_BODY // 0x100000 + 1):
            wire.send(chunk)
        refused_and_closed(wire, 413)


def test_tiny_chunks_take_no_more_memory_than_large_ones(server: ServerProcess) -> None:
    body = GOOD.ljust(MAX_BODY // 2)
    pieces = b"".join(b"2\r\n" + body[start : start + 2] + b"\r\n" for start in range(0, len(body), 2))
    data = post(HOST, CHUNKED, line="POST /v2/models/echo/infer HTTP/1.1", body=pieces + b"0\r\n\r\n")
    answer = told(server, data)
    assert answer
    assert answer.status == 200


HEADS = {
    "one header of a megabyte": post(HOST, "A: " + "a" * 1_000_000),
    "a header that never ends": post(HOST, "A: " + "a" * 1_000_000)[:-4],
    "a name of a megabyte": post(HOST, "A" * 1_000_000 + ": a"),
    "ten thousand headers": post(HOST, *(f"A{number}: b" for number in range(10_000))),
    "a hundred thousand empty headers": post(HOST, *["a:"] * 100_000),
    "a target of a megabyte": post(HOST, line=f"GET /{'a' * 1_000_000} HTTP/1.1"),
    "a query of a megabyte": post(HOST, line=f"GET /score?{'a=b&' * 250_000} HTTP/1.1"),
    "a hundred thousand trailers": post(HOST, CHUNKED, body=b"0\r\n" + b"a: b\r\n" * 100_000 + b"\r\n"),
}


@pytest.mark.parametrize("data", HEADS.values(), ids=HEADS)
def test_a_head_without_end_is_refused(server: ServerProcess, data: bytes) -> None:
    with wired(server) as wire:
        wire.send(data)
        refused_and_closed(wire, 431)


def test_a_request_that_comes_byte_by_byte_is_a_request(server: ServerProcess) -> None:
    with wired(server) as wire:
        wire.socket.setsockopt(6, 1, 1)  # TCP_NODELAY: every byte a packet
        for byte in request(GOOD):
            wire.send(bytes([byte]))
        answer = wire.answer()
        assert answer
        assert answer.status == 200


def test_empty_lines_before_a_request_are_skipped(server: ServerProcess) -> None:
    answer = told(server, b"\r\n" * 10_000 + request(GOOD))
    assert answer
    assert answer.status in (200, 400)


def refused_and_closed(wire: Wire, *statuses: int) -> None:
    """Fails unless one refusal comes, with a sentence, and then the end of the connection."""
    answer = wire.answer()
    assert answer
    assert answer.status in statuses
    sentence = answer.json()
    assert sentence.get("error") or sentence.get("message")
    assert answer.headers["connection"] == "close"
    assert wire.answer() is None
