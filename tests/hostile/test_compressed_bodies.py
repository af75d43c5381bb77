"""Compressed bodies: bombs are refused by what they become, and what cannot be unpacked as a mistake."""

from __future__ import annotations

import gzip
import time
import zlib
from typing import TYPE_CHECKING

import pytest

from tests.hostile.bodies import GZIP, MIB, ZLIB, bomb
from tests.hostile.conftest import GOOD, MAX_BODY
from tests.hostile.wire import request, told

if TYPE_CHECKING:
    from tests.support.server_process import ServerProcess


def refused(server: ServerProcess, body: bytes, encoding: str, *statuses: int) -> None:
    """Fails unless `body` is answered at once, with one of these statuses and the sentence of each protocol."""
    for path, member in (("/v2/models/echo/infer", "error"), ("/score?model_name=echo", "message")):
        started = time.monotonic()
        answer = told(server, request(body, f"Content-Encoding: {encoding}", path=path))
        assert answer
        assert answer.status in statuses
        assert answer.json()[member]
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(("encoding", "bits"), [("gzip", GZIP), ("deflate", ZLIB)])
@pytest.mark.parametrize("filling", [b"\0", b"[", b"1"])
def test_a_body_that_becomes_gigabytes_is_refused(
    server: ServerProcess, encoding: str, bits: int, filling: bytes
) -> None:
    body = bomb(7 * 1024 * MIB, bits, filling)
    assert 6 * MIB < len(body) < MAX_BODY
    refused(server, body, encoding, 413)


def test_ten_megabytes_that_become_ten_gigabytes_are_refused_as_they_are(server: ServerProcess) -> None:
    answer = told(server, request(bomb(10 * 1024 * MIB, GZIP), "Content-Encoding: gzip"))
    assert answer
    assert answer.status == 413


def test_a_body_that_becomes_the_most_allowed_is_served(server: ServerProcess) -> None:
    body = gzip.compress(GOOD.ljust(MAX_BODY))
    answer = told(server, request(body, "Content-Encoding: gzip"))
    assert answer
    assert answer.status == 200
    refused(server, gzip.compress(GOOD.ljust(MAX_BODY + 1)), "gzip", 413)


BROKEN = {
    "no gzip at all": GOOD,
    "nothing": b"",
    "half of it": gzip.compress(GOOD)[:40],
    "the head alone": gzip.compress(GOOD)[:10],
    "all but the last byte": gzip.compress(GOOD)[:-1],
    "a wrong checksum": gzip.compress(GOOD)[:-8] + bytes(4) + gzip.compress(GOOD)[-4:],
    "a wrong length": gzip.compress(GOOD)[:-4] + bytes(4),
    "garbage after it": gzip.compress(GOOD) + b"garbage",
    "a name without end": b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * 1_000_000,
    "a reserved block": gzip.compress(GOOD)[:10] + b"\x07" * 100,
    "gzip in gzip": gzip.compress(gzip.compress(GOOD)),
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_what_is_no_gzip_is_refused(server: ServerProcess, body: bytes) -> None:
    refused(server, body, "gzip", 400)


@pytest.mark.parametrize("body", [GOOD, b"", zlib.compress(GOOD)[:-1], zlib.compress(GOOD) + b"x"])
def test_what_is_no_deflate_is_refused(server: ServerProcess, body: bytes) -> None:
    refused(server, body, "deflate", 400)


@pytest.mark.parametrize(
    "encoding", ["br", "zstd", "compress", "unknown", "gzip, gzip", "gzip;q=1", "gzip" * 1000, "é"]
)
def test_an_unknown_encoding_is_refused(server: ServerProcess, encoding: str) -> None:
    refused(server, gzip.compress(GOOD), encoding, 400, 415, 501)


def test_the_end_of_the_json_is_counted_in_the_unpacked_body(server: ServerProcess) -> None:
    headers = "Content-Encoding: gzip", "Inference-Header-Content-Length: 1000000"
    answer = told(server, request(gzip.compress(GOOD), *headers))
    assert answer
    assert (answer.status, bool(answer.json()["error"])) == (400, True)


@pytest.mark.parametrize(
    "accepted", ["gzip;q=0", "identity;q=0, *;q=0", "x" * 10_000, ";;;,,,=", "gzip;q=nan", "é"]
)
def test_any_wish_for_the_answer_s_encoding_is_harmless(server: ServerProcess, accepted: str) -> None:
    answer = told(server, request(GOOD, f"Accept-Encoding: {accepted}"))
    assert answer
    assert answer.status in (200, 406)
    assert answer.status == 406 or answer.json()["outputs"]
