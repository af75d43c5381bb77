"""Tensors in messages, found and put where they are: with the same meaning as protobuf's own."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from modelserver.grpc.inference_pb2 import ModelInferRequest, ModelInferResponse
from modelserver.grpc.raw import LARGE, understood, written

RAW = os.urandom(LARGE)


def request(*raw: bytes) -> ModelInferRequest:
    """A request of all fields, with these raw contents."""
    made = ModelInferRequest(model_name="m" * 200, model_version="1", id="é", raw_input_contents=raw)
    made.parameters["flag"].bool_param = True
    made.outputs.add(name="y")
    for number in range(len(raw)):
        made.inputs.add(name=f"x{number}", datatype="FP32", shape=[2**62, 0, 1])
    return made


def same(body: bytes) -> None:
    """Fails unless both understand `body` alike."""
    message, raw = understood(body)
    wanted = ModelInferRequest.FromString(body)
    assert [bytes(content) for content in raw] == list(wanted.raw_input_contents)
    del message.raw_input_contents[:], wanted.raw_input_contents[:]
    assert message == wanted


@pytest.mark.parametrize(
    "raw", [(), (b"",), (RAW,), (b"", RAW, b"x"), (RAW[:127], RAW[:128], RAW), (RAW * 150,)], ids=len
)
def test_requests_are_understood_as_protobuf_does(raw: tuple[bytes, ...]) -> None:
    same(request(*raw).SerializeToString())


def test_large_contents_stay_where_they_are() -> None:
    body = request(RAW).SerializeToString()
    (found,) = understood(body)[1]
    assert isinstance(found, memoryview)
    assert found.obj is body


def test_fields_may_come_in_any_order() -> None:
    first, second = ModelInferRequest(raw_input_contents=[RAW]), request(b"second")
    same(first.SerializeToString() + second.SerializeToString())


def test_unknown_fields_do_no_harm() -> None:
    body = request(RAW).SerializeToString()
    for unknown in (b"\x98\x06\x01", b"\xa2\x06\x01x", b"\x9d\x06abcd", b"\xa3\x06\xa4\x06"):
        same(unknown + body)
        same(body + unknown)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8), st.integers(0, LARGE))
def test_garbage_means_the_same_or_nothing_to_both(mutations: list[tuple[int, int]], lost: int) -> None:
    body = bytearray(request(b"abc", RAW, b"").SerializeToString())
    for place, value in mutations:
        body[place] = value
        body[-place - 1] = value
    for garbage in (bytes(body), bytes(body[: len(body) - lost])):
        with suppress(DecodeError):
            ModelInferRequest.FromString(garbage)
            same(garbage)


@pytest.mark.parametrize("contents", [[], [b""], [b"x" * 127, b"x" * 128, RAW * 20]])
def test_responses_are_written_as_protobuf_does(contents: list[bytes]) -> None:
    response = ModelInferResponse(model_name="m", id="7")
    response.outputs.add(name="y", shape=[1])
    body = b"".join(written(response, contents))
    response.raw_output_contents.extend(contents)
    assert ModelInferResponse.FromString(body) == response
