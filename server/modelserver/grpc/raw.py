"""Tensors in messages, where they are: protobuf would copy each of them twice, in either direction.

On the wire a message is a sequence of fields, each a tag, and for those that hold bytes the length and the bytes.
They may come in any order, and what is said in several pieces is one message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelserver.grpc.inference_pb2 import ModelInferRequest, ModelInferResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelserver.models.datatypes import Buffer

BYTES = 2  # the wire type of all fields of these messages
INPUT = ModelInferRequest.RAW_INPUT_CONTENTS_FIELD_NUMBER << 3 | BYTES
OUTPUT = bytes([ModelInferResponse.RAW_OUTPUT_CONTENTS_FIELD_NUMBER << 3 | BYTES])
# Below it, looking costs more than copying.
LARGE = 16 * 1024
# With more fields than that, protobuf is quicker.
MOST_FIELDS = 256


def understood(body: Buffer) -> tuple[ModelInferRequest, Sequence[Buffer]]:
    """The message that `body` is, and its raw_input_contents. Raises google.protobuf's DecodeError."""
    found = _split(memoryview(body)) if len(body) >= LARGE else None
    if found:
        return ModelInferRequest.FromString(found[0]), found[1]
    message = ModelInferRequest.FromString(bytes(body))
    return message, message.raw_input_contents


def written(response: ModelInferResponse, contents: Sequence[Buffer]) -> list[Buffer]:
    """The pieces of `response` with these raw_output_contents."""
    pieces: list[Buffer] = [response.SerializeToString()]
    for content in contents:
        pieces += (OUTPUT + _varint(len(content)), content)
    return pieces


def _split(body: memoryview) -> tuple[bytes, list[memoryview]] | None:
    """What is not raw contents, and what is; None where protobuf has to say what it thinks of it."""
    others: list[memoryview] = []
    raw: list[memoryview] = []
    end = 0
    while end < len(body):
        if len(others) + len(raw) > MOST_FIELDS:
            return None
        start = end
        tag, place = _read_varint(body, start)
        length, place = _read_varint(body, place)
        end = place + length
        if tag & 7 != BYTES or length < 0 or end > len(body):
            return None
        if tag == INPUT:
            raw.append(body[place:end])
        else:
            others.append(body[start:end])
    return b"".join(others), raw


def _read_varint(body: memoryview, place: int) -> tuple[int, int]:
    """The number at `place`, seven bits to a byte and the lowest first, or -1; and the place behind it."""
    number = shift = 0
    for byte in body[place : place + 10]:
        place += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, place
    return -1, place


def _varint(number: int) -> bytes:
    digits = []
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])
