"""What the server and a handler's process send each other arrives as it was sent, or not at all."""

from __future__ import annotations

import asyncio
import socket
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelserver.handlers import frames
from modelserver.handlers.frames import PREFIX, Broken, Frame, TooLarge

HEADS = st.dictionaries(st.text().filter("sizes".__ne__), st.none() | st.floats(allow_nan=False) | st.text())


def through_a_socket(frame: Frame) -> Frame:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = Thread(target=frames.send, args=(ours, frame))
        sender.start()
        received = frames.receive(theirs)
        sender.join()
    return received


async def read(*pieces: Any) -> Frame:
    reader = asyncio.StreamReader()
    for piece in pieces:
        reader.feed_data(bytes(piece))
    reader.feed_eof()
    return await frames.read(reader)


@given(HEADS, st.lists(st.binary()))
def test_a_frame_arrives_as_it_was_sent(head: dict[str, Any], buffers: list[bytes]) -> None:
    received = through_a_socket(Frame(head, buffers))
    assert (received.head, [*map(bytes, received.buffers)]) == (head, buffers)


async def test_it_can_be_larger_than_what_sockets_hold() -> None:
    body = bytes(range(256)) * 2**14
    assert bytes(through_a_socket(Frame({}, [b"", body])).buffers[1]) == body
    assert bytes((await read(*Frame({}, [body]).packed())).buffers[0]) == body


async def test_what_is_neither_finite_nor_a_number_passes() -> None:
    received = await read(*Frame({"a": [float("inf"), None]}).packed())
    assert received.head == {"a": [float("inf"), None]}


@pytest.mark.parametrize("cut", [0, 5, PREFIX.size, PREFIX.size + 3])
async def test_an_end_before_the_end_is_no_frame(cut: int) -> None:
    with pytest.raises(Broken):
        await read(b"".join(map(bytes, Frame({"a": 1}, [b"body"]).packed()))[:cut])


@pytest.mark.parametrize("text", [b"[]", b"{}", b'{"sizes": "x"}', b'{"sizes": [1, "x"]}', b"nonsense", b"\xff"])
async def test_what_is_no_description_is_no_frame(text: bytes) -> None:
    with pytest.raises(Broken):
        await read(PREFIX.pack(len(text), 0), text)


async def test_a_length_that_nobody_could_mean_is_refused_before_anything_is_read() -> None:
    with pytest.raises(Broken, match="is larger than"):
        await read(PREFIX.pack(2, 2**40))


def test_what_is_too_large_is_refused_before_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "LARGEST", 100)
    with pytest.raises(TooLarge):
        Frame({}, [b"x" * 200]).packed()


def test_a_socket_that_was_closed_is_broken() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ours:
        with pytest.raises(Broken):
            frames.receive(ours)
        with pytest.raises(Broken):
            frames.send(ours, Frame({}))
