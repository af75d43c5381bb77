"""Messages that lie: refused with the code that tells the client that it is the one to mend them."""

from __future__ import annotations

import gzip
import struct
import time
from typing import TYPE_CHECKING

import grpc
import pytest
from ngh2 import Connection as Session
from ngh2 import Role
from ngh2.events import ResponseReceived, TrailersReceived

from tests.hostile.bodies import GZIP, MIB, bomb, field, inference
from tests.hostile.conftest import MAX_BODY
from tests.hostile.http2 import CALL, INFER, bare, message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server_process import ServerProcess

INVALID = grpc.StatusCode.INVALID_ARGUMENT
TWO = struct.pack("<2f", 1, -0.5)


@pytest.fixture(scope="module")
def infer(server: ServerProcess) -> Iterator[grpc.UnaryUnaryMultiCallable[bytes, bytes]]:
    """The method for inferences, which takes and gives bytes."""
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{server.event('listening')['grpc_port']}", unlimited) as channel:
        yield channel.unary_unary(INFER, lambda data: data, lambda data: data)


def refused(infer: grpc.UnaryUnaryMultiCallable[bytes, bytes], data: bytes, *codes: grpc.StatusCode) -> None:
    """Fails unless `data` is refused soon, with one of these codes and a sentence."""
    started = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        infer(data, timeout=10)
    assert time.monotonic() - started < 2
    assert caught.value.code() in codes
    assert caught.value.details()


def test_a_true_one_is_served(infer: grpc.UnaryUnaryMultiCallable[bytes, bytes]) -> None:
    assert TWO in infer(inference(TWO), timeout=10)


LIES = {
    "nothing": b"",
    "no protobuf": b"\xff" * 100,
    "half a message": inference(TWO)[:20],
    "a field that is longer than the message": b"\x0a\xff\xff\xff\xff\x0f",
    "a name that is no UTF-8": inference(TWO, name=b"\xff\xfe"),
    "too few bytes": inference(TWO[:7]),
    "too many bytes": inference(TWO + b"x"),
    "no bytes": inference(b""),
    "no contents": inference(None),
    "a negative size": inference(TWO, (-2,)),
    "a product of 2^64": inference(b"", (2**32, 2**32)),
    "a product of 2^64 with a zero": inference(b"", (2**63 - 1, 2**63 - 1, 0)),
    "100 dimensions": inference(TWO[:4], (1,) * 100),
    "a million dimensions": inference(TWO[:4], (1,) * 1_000_000),
    "an unknown datatype": inference(TWO, datatype=b"FP33"),
    "another datatype": inference(TWO, datatype=b"INT64"),
    "raw contents without a tensor": inference(TWO) + field(7, TWO),
    "a million raw contents": inference(TWO) + field(7, b"") * 1_000_000,
    "a million tensors": inference(TWO) + field(5, b"") * 1_000_000,
    "a million outputs": inference(TWO) + field(6, b"") * 1_000_000,
    "a tensor twice": inference(TWO) + inference(TWO)[6:],
}


@pytest.mark.parametrize("data", LIES.values(), ids=LIES)
def test_a_message_that_makes_no_sense_is_refused(
    infer: grpc.UnaryUnaryMultiCallable[bytes, bytes], data: bytes
) -> None:
    refused(infer, data, INVALID, grpc.StatusCode.NOT_FOUND)


TEXTS = {
    "a length beyond the bytes": b"\x05\0\0\0abc",
    "a length of 2^32 - 1": b"\xff\xff\xff\xffabc",
    "half a length": b"\x01\0",
    "a byte too many": b"\x01\0\0\0ab",
    "no UTF-8": b"\x01\0\0\0\xff",
    "two for one": b"\x01\0\0\0a\x01\0\0\0b",
}


@pytest.mark.parametrize("raw", TEXTS.values(), ids=TEXTS)
def test_texts_with_lengths_that_lie_are_refused(
    infer: grpc.UnaryUnaryMultiCallable[bytes, bytes], raw: bytes
) -> None:
    refused(infer, inference(raw, (1,), b"BYTES", b"text"), INVALID)


def test_a_message_larger_than_allowed_is_refused(infer: grpc.UnaryUnaryMultiCallable[bytes, bytes]) -> None:
    refused(infer, inference(bytes(MAX_BODY), (MAX_BODY // 4,)), grpc.StatusCode.RESOURCE_EXHAUSTED)


FRAMED = {
    "ten gigabytes to come": message(b"x", length=2**32 - 1),
    "more than its length": message(inference(TWO) + b"x" * 100, length=10),
    "less than its length": message(inference(TWO), length=1000),
    "two messages": message(inference(TWO)) * 2,
    "half a prefix": b"\0\0",
    "a flag that is unknown": message(inference(TWO), compressed=7),
    "compressed, but nobody says how": message(gzip.compress(inference(TWO)), compressed=1),
}


@pytest.mark.parametrize("data", FRAMED.values(), ids=FRAMED)
def test_a_message_that_is_not_framed_as_it_should_is_refused(server: ServerProcess, data: bytes) -> None:
    assert status(server, data) not in ("0", "2", "13")  # OK, UNKNOWN, INTERNAL: the fault is the client's


PACKED = {
    "a bomb": ("gzip", bomb(7 * 1024 * MIB, GZIP), "8"),
    "what is no gzip": ("gzip", inference(TWO), "3"),
    "half of it": ("gzip", gzip.compress(inference(TWO))[:30], "3"),
    "an encoding that is unknown": ("br", inference(TWO), "12"),
}


@pytest.mark.parametrize(("encoding", "data", "code"), PACKED.values(), ids=PACKED)
def test_a_compressed_message_that_cannot_be_unpacked_is_refused(
    server: ServerProcess, encoding: str, data: bytes, code: str
) -> None:
    assert status(server, message(data, compressed=1), ("grpc-encoding", encoding)) == code


@pytest.mark.parametrize("timeout", ["", "x", "-1S", "999999999999S", "1", "0n", "1Y"])
def test_a_deadline_that_is_none_does_no_harm(server: ServerProcess, timeout: str) -> None:
    assert status(server, message(inference(TWO)), ("grpc-timeout", timeout)) in ("0", "3", "4", "13")


def status(server: ServerProcess, data: bytes, *headers: tuple[str, str]) -> str:
    """The code with which a call ends that consists of exactly `data`."""
    client = Session(Role.CLIENT)
    client.initiate_connection()
    stream = client.send_request([(name.encode(), value.encode()) for name, value in (*CALL, *headers)])
    client.send_data(stream, data)
    client.end_stream(stream)
    with bare(server) as peer:
        while True:
            peer.send(client.data_to_send())
            client.receive_data(peer.socket.recv(65536))
            for event in client.events():
                if isinstance(event, ResponseReceived | TrailersReceived) and b"grpc-status" in dict(
                    event.headers
                ):
                    return dict(event.headers)[b"grpc-status"].decode()
