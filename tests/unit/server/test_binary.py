"""Tensors as bytes: what numpy has in memory, what fits, and nothing else."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from modelserver.errors import BadRequest
from modelserver.models.datatypes import BY_NAME, DATATYPES, Array, Datatype
from modelserver.protocols.binary import raw_of, tensor_of, texts_of

NUMERIC = [datatype for datatype in DATATYPES if not datatype.is_text]
BYTES = BY_NAME["BYTES"]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)


@st.composite
def arrays(draw: st.DrawFn) -> tuple[Datatype, Array]:
    datatype = draw(st.sampled_from(DATATYPES))
    elements = st.text() if datatype.is_text else hnp.from_dtype(datatype.dtype)
    return datatype, draw(hnp.arrays(datatype.dtype, SHAPES, elements=elements))


def element(text: bytes, length: int | None = None) -> bytes:
    return struct.pack("<I", len(text) if length is None else length) + text


@given(arrays(), st.integers(0, 7))
def test_a_tensor_that_is_written_and_read_again_is_the_same_bit_for_bit(
    written: tuple[Datatype, Array], offset: int
) -> None:
    datatype, array = written
    raw = raw_of(array)
    assert len(raw) == len(bytes(raw))
    read = tensor_of(memoryview(bytes(offset) + bytes(raw))[offset:], datatype, array.shape)
    assert (read.dtype, read.shape, read.flags.aligned) == (array.dtype, array.shape, True)
    assert read.tolist() == array.tolist() if datatype.is_text else read.tobytes() == array.tobytes()


@given(arrays())
def test_the_bytes_of_numbers_are_those_in_memory(written: tuple[Datatype, Array]) -> None:
    datatype, array = written
    if not datatype.is_text:
        assert bytes(raw_of(array)) == array.astype(array.dtype.newbyteorder("<")).tobytes()


def test_numbers_are_not_copied() -> None:
    body = bytearray(16)
    array = tensor_of(body, BY_NAME["FP32"], (2, 2))
    assert np.shares_memory(array, np.frombuffer(body, np.uint8))
    assert np.shares_memory(array, np.frombuffer(raw_of(array), np.uint8))


def test_a_view_with_gaps_is_written_without_them() -> None:
    array = np.arange(8, dtype=np.int32).reshape(2, 4)[:, ::2]
    assert bytes(raw_of(array)) == struct.pack("<4i", 0, 2, 4, 6)


def test_texts_are_their_length_and_their_bytes() -> None:
    raw = element("ä".encode()) + element(b"") + element(b"a\0b")
    assert raw_of(np.array(["ä", "", "a\0b"], dtype=object)) == raw
    assert tensor_of(raw, BYTES, (3, 1)).tolist() == [["ä"], [""], ["a\0b"]]


@pytest.mark.parametrize("datatype", NUMERIC, ids=lambda datatype: datatype.name)
@pytest.mark.parametrize("difference", [-1, 1])
def test_bytes_that_are_too_few_or_too_many_are_refused(datatype: Datatype, difference: int) -> None:
    size = 6 * datatype.dtype.itemsize
    with pytest.raises(
        BadRequest, match=rf"{datatype.name} in the shape \[2, 3\] is {size} bytes, but {size + difference}"
    ):
        tensor_of(bytes(size + difference), datatype, (2, 3))


@pytest.mark.parametrize(
    ("raw", "shape", "sentence"),
    [
        (b"", (1,), "1 elements of BYTES need more than the 0 bytes"),
        (b"", (2**62, 2**62), "need more than"),
        (element(b"a"), (2,), "2 elements of BYTES need more than the 5 bytes"),
        (element(b"abcd"), (2,), "1 elements of BYTES were sent, but the shape is for 2"),
        (element(b"a") * 3, (2,), "3 elements of BYTES were sent, but the shape is for 2"),
        (element(b"a"), (0,), "1 elements of BYTES were sent, but the shape is for 0"),
        (element(b"a") + b"\1\0\0", (1,), "end within the length of an element"),
        (element(b"a", length=2), (1,), "last element of BYTES is longer"),
        (element(b"a", length=2**32 - 1), (1,), "last element of BYTES is longer"),
        (element(b"a\xff"), (1,), "not text in UTF-8"),
        (element("\ud800".encode("utf-8", "surrogatepass")), (1,), "not text in UTF-8"),
    ],
)
def test_texts_that_do_not_fill_the_bytes_are_refused(raw: bytes, shape: tuple[int, ...], sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence):
        tensor_of(raw, BYTES, shape)


def test_a_boolean_is_zero_or_one() -> None:
    assert tensor_of(b"\0\1", BY_NAME["BOOL"], (2,)).tolist() == [False, True]
    with pytest.raises(BadRequest, match="a BOOL is a byte that is 0 or 1"):
        tensor_of(b"\0\2", BY_NAME["BOOL"], (2,))


def test_texts_alone_are_refused_when_they_are_no_texts() -> None:
    assert texts_of([b"a", "ä".encode()]).tolist() == ["a", "ä"]
    assert texts_of([]).shape == (0,)
    with pytest.raises(BadRequest, match="not text in UTF-8"):
        texts_of([b"a", b"\xe4"])


@given(
    st.binary(max_size=40),
    st.sampled_from(DATATYPES),
    st.lists(st.integers(0, 5) | st.sampled_from([2**31, 2**63, 2**64]), max_size=5),
)
def test_any_bytes_are_a_tensor_of_the_shape_or_a_bad_request(
    raw: bytes, datatype: Datatype, sizes: list[int]
) -> None:
    try:
        array = tensor_of(raw, datatype, tuple(sizes))
    except BadRequest:
        return
    assert (array.dtype, array.shape) == (datatype.dtype, tuple(sizes))
    assert bytes(raw_of(array)) == raw
