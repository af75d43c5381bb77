"""What hostile clients of gRPC send: the server stays up, answers others, and its memory stays bounded."""

from __future__ import annotations

import asyncio
import struct
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ngh2 import ErrorCode

from modelserver.grpc.methods import INFERENCE
from tests.support import onnx_models
from tests.support.grpc_client import client_of, raw_request
from tests.support.http2_peer import connected, framed
from tests.support.onnx_models import saved
from tests.support.server_process import ServerProcess, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

INFER = f"/{INFERENCE}/ModelInfer"
MIB = 2**20
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    path = saved(onnx_models.two_outputs(), tmp_path / "m.onnx")
    with serving(f"--model=m={path}", "--max-body=8Mi", "--request-timeout=5") as process:
        yield process
        assert process.process.poll() is None
        with client_of(process) as client:
            assert client.infer(raw_request("m", x=("FP32", np.ones((1, 2), np.float32)))).outputs
        assert not [event for event in process.log if "defect" in event["message"]]


def port_of(server: ServerProcess) -> int:
    port: int = server.event("listening")["grpc_port"]
    return port


def resident(server: ServerProcess) -> int:
    """The bytes of memory that the server has."""
    pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
    return int(pages) * 4096


async def test_bodies_that_stop_before_their_end_are_bounded_in_sum(server: ServerProcess) -> None:
    before, largest = resident(server), 0
    body = framed(bytes(8 * MIB - 6))[:-1]
    async with AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(connected(port_of(server))) for _ in range(64)]
        streams = [peer.call(INFER, body, end=False) for peer in peers]

        async def watch() -> None:
            nonlocal largest
            while True:
                largest = max(largest, resident(server) - before)
                await asyncio.sleep(0.02)

        watching = asyncio.create_task(watch())
        await asyncio.gather(*(peer.answer(stream) for peer, stream in zip(peers, streams, strict=True)))
        watching.cancel()
    assert largest < 256 * MIB + 128 * MIB
    codes = {peer.answers[stream].code for peer, stream in zip(peers, streams, strict=True)}
    assert codes == {4, 14}  # late, or refused at once


async def test_large_bodies_leave_nothing_behind(server: ServerProcess) -> None:
    request = raw_request("m", x=("FP32", np.ones((1, 2), np.float32)))
    request.parameters["padding"].string_param = "x" * 7_000_000
    body = framed(request.SerializeToString())
    after = []
    for _ in range(12):
        async with AsyncExitStack() as stack:
            for _ in range(10):
                peer = await stack.enter_async_context(connected(port_of(server)))
                assert (await peer.answer(peer.call(INFER, body))).code == 0
            after.append(resident(server))
    assert after[-1] - after[5] < 16 * MIB  # and not 60 times 7 MiB; what malloc keeps grows at first


async def test_calls_that_are_given_up_at_once_end_with_the_connection(server: ServerProcess) -> None:
    before = resident(server)
    async with connected(port_of(server)) as peer:
        for _ in range(300):
            if peer.ended:
                break
            for stream in [peer.call(INFER, framed(b"")) for _ in range(100)]:
                peer.writer.write(peer.session.data_to_send())
                peer.session.reset_stream(stream, ErrorCode.CANCEL)
            await peer.until(lambda: True)
        await peer.until(lambda: peer.ended)
    assert resident(server) - before < 64 * MIB


@pytest.mark.parametrize(
    "flood",
    [
        bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + bytes(8),  # PING
        bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]),  # SETTINGS
        struct.pack(">HBBBLL", 0, 4, 8, 0, 0, 1),  # WINDOW_UPDATE
        bytes([0, 0, 5, 2, 0, 0, 0, 0, 1]) + bytes([0, 0, 0, 0, 1]),  # PRIORITY
        bytes([0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82]) + bytes([0, 0, 1, 9, 0, 0, 0, 0, 1, 0x82]) * 1000,  # CONTINUATION
        bytes([0, 0, 0, 0, 0, 0, 0, 0, 1]),  # DATA of no stream
        b"\xff" * 1000,
    ],
    ids=["ping", "settings", "window", "priority", "continuation", "data", "noise"],
)
async def test_floods_of_frames_are_bounded(server: ServerProcess, flood: bytes) -> None:
    before = resident(server)
    _, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
    writer.write(PREFACE)
    try:
        for _ in range(100):  # and what it answers is never read
            writer.write(flood * (1 + 20_000 // len(flood)))
            async with asyncio.timeout(0.5):
                await writer.drain()
    except (OSError, TimeoutError):
        pass
    assert resident(server) - before < 32 * MIB
    writer.close()


async def test_a_large_head_is_refused(server: ServerProcess) -> None:
    async with connected(port_of(server)) as peer:
        for count in range(40):
            peer.call(
                INFER, framed(b""), (b"x-%d" % count, b"y" * 1000), *[(b"x%d" % n, b"z" * 1000) for n in range(60)]
            )
            await peer.until(lambda: True)
        await peer.until(lambda: peer.ended or all(answer.closed for answer in peer.answers.values()))
        assert not any(answer.code == 0 for answer in peer.answers.values())


async def test_silent_connections_are_cut_and_others_served(server: ServerProcess) -> None:
    connections = [await asyncio.open_connection("127.0.0.1", port_of(server)) for _ in range(300)]
    for _, writer in connections[::2]:
        writer.write(PREFACE[:10])
    with client_of(server) as client:
        request = raw_request("m", x=("FP32", np.ones((1, 2), np.float32)))
        assert (await asyncio.to_thread(client.infer, request)).outputs
    async with asyncio.timeout(15):
        await asyncio.gather(*(reader.read() for reader, _ in connections), return_exceptions=True)
    for _, writer in connections:
        writer.close()
