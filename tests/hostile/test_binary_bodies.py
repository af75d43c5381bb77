"""Binary tensors with lengths that lie: nothing is read that was not sent, and nothing that was is left unread."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import pytest

from tests.hostile.conftest import MAX_BODY
from tests.hostile.wire import Answer, request, told

if TYPE_CHECKING:
    from tests.support.server_process import ServerProcess

TWO = struct.pack("<2f", 1, -0.5)
LENGTH = "Inference-Header-Content-Length"


def described(size: object, shape: object = (2,), datatype: str = "FP32", **more: object) -> bytes:
    """The JSON part of a request whose input `x` is said to have `size` bytes."""
    tensor = {"name": "x", "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": size}, **more}
    return json.dumps({"inputs": [tensor]}).encode()


def texts(*lengths_and_bytes: tuple[int, bytes]) -> bytes:
    """BYTES elements, each with the length that it claims."""
    return b"".join(struct.pack("<I", length) + data for length, data in lengths_and_bytes)


def sent(
    server: ServerProcess, head: bytes, tail: bytes, length: object = None, model: str = "echo", *headers: str
) -> Answer:
    """The answer to a body of both parts, whose first is said to be `length` bytes long."""
    claimed = len(head) if length is None else length
    path = f"/v2/models/{model}/infer"
    answer = told(server, request(head + tail, f"{LENGTH}: {claimed}", *headers, path=path))
    assert answer
    return answer


def refused(answer: Answer) -> None:
    """Fails unless the answer is 400 with a sentence."""
    assert (answer.status, bool(answer.json()["error"])) == (400, True), answer


def test_a_true_one_is_served(server: ServerProcess) -> None:
    assert sent(server, described(8), TWO).json()["outputs"][0]["data"] == [1, -0.5]


SIZES: dict[str, Any] = {
    "too small": 4,
    "too large": 12,
    "not a multiple": 7,
    "zero": 0,
    "negative": -8,
    "2^31": 2**31,
    "2^63": 2**63,
    "2^64 + 8": 2**64 + 8,
    "10^400": 10**400,
    "a fraction": 8.0,
    "a string": "8",
    "a boolean": True,
    "null": None,
    "a list": [8],
}


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_a_size_that_is_not_that_of_the_tensor_is_refused(server: ServerProcess, size: object) -> None:
    refused(sent(server, described(size), TWO))


@pytest.mark.parametrize("length", ["-1", "0x10", "1e2", "", "abc", "+5", "1_0", "9" * 20, "\xb2"])
def test_a_header_length_that_is_no_number_is_refused(server: ServerProcess, length: str) -> None:
    refused(sent(server, described(8), TWO, length))


@pytest.mark.parametrize("by", [-1, 1, 4, 8, 9, 1000, 2**31, 2**63])
def test_a_header_length_that_does_not_end_where_the_json_ends_is_refused(server: ServerProcess, by: int) -> None:
    refused(sent(server, described(8), TWO, len(described(8)) + by))


def test_two_header_lengths_are_refused(server: ServerProcess) -> None:
    refused(sent(server, described(8), TWO, len(described(8)), "echo", f"{LENGTH}: 5"))


@pytest.mark.parametrize("tail", [b"", TWO[:7], TWO + b"x", TWO * 2])
def test_missing_and_surplus_bytes_are_refused(server: ServerProcess, tail: bytes) -> None:
    refused(sent(server, described(8), tail))


@pytest.mark.parametrize("shape", [[3], [1], [-2], [2**63], [2**32, 2**32], [2**63 - 1, 0], [1] * 100, None, "2"])
def test_a_shape_that_does_not_fit_the_bytes_is_refused(server: ServerProcess, shape: object) -> None:
    refused(sent(server, described(8, shape), TWO))


def test_data_in_both_places_is_refused(server: ServerProcess) -> None:
    refused(sent(server, described(8, data=[1, -0.5]), TWO))


def test_two_tensors_cannot_share_bytes(server: ServerProcess) -> None:
    tensor = {"name": "x", "shape": [2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    twice = json.dumps({"inputs": [tensor, tensor]}).encode()
    for tail in (TWO, TWO * 2):
        refused(sent(server, twice, tail))


TEXTS = {
    "a length beyond the bytes": texts((5, b"abc")),
    "a length of 2^32 - 1": texts((2**32 - 1, b"abc")),
    "lengths whose sum overflows": texts((2**31, b"a"), (2**31, b"b")),
    "half a length": b"\x01\x00",
    "a length and nothing": texts((3, b"")),
    "a byte too many": texts((3, b"abc")) + b"x",
    "an element too many": texts((1, b"a"), (1, b"b"), (1, b"c")),
    "an element too few": texts((1, b"a")),
    "no UTF-8": texts((1, b"\xff"), (1, b"b")),
    "half a character": texts((1, b"\xc3"), (1, b"\xa9")),
    "an encoded surrogate": texts((3, b"\xed\xa0\x80"), (1, b"b")),
}


@pytest.mark.parametrize("tail", TEXTS.values(), ids=TEXTS)
def test_texts_with_lengths_that_lie_are_refused(server: ServerProcess, tail: bytes) -> None:
    refused(sent(server, described(len(tail), [2], "BYTES"), tail, None, "text"))


def test_millions_of_empty_texts_stay_within_the_bound(server: ServerProcess) -> None:
    count = (MAX_BODY - 1000) // 4
    answer = sent(server, described(4 * count, [count + 1], "BYTES"), bytes(4 * count), None, "text")
    refused(answer)


def test_a_boolean_is_zero_or_one(server: ServerProcess) -> None:
    """Another byte would be undefined behaviour in whatever reads it as a bool."""
    answer = sent(server, described(2, [2], "BOOL"), b"\x02\xff", None, "flags")
    assert answer.status in (200, 400)
    assert answer.status == 400 or answer.json()["outputs"][0]["data"] == [True, True]


def test_a_raw_request_must_fit_the_only_input(server: ServerProcess) -> None:
    """A header length of 0: the whole body is the tensor."""
    for body in (bytes(3), bytes(12), bytes(4001)):
        refused(sent(server, b"", body, 0, "pair"))
    assert sent(server, b"", bytes(16), 0, "pair").status == 200
