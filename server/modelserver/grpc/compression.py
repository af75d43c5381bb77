"""Compressed messages: read within a limit, and written for who sent one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from modelserver.errors import Error, Unsupported
from modelserver.grpc.message import Call, Reply
from modelserver.http.compression import WINDOW_BITS, decompressed, squeezed

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelserver.grpc.connection import Unary

# Below it a compressed reply is not worth its time.
FROM_BYTES = 1024


def transparent(method: Unary, limit: int) -> Unary:
    """`method`, for which messages are decompressed to `limit` bytes at most, and whose replies to those are
    compressed in the same way. The work is done in threads.
    """
    tasks = set()

    def answer(call: Call, reply: Callable[[Reply], None]) -> None:
        if not call.encoding:
            method(call, reply)
            return
        task = asyncio.get_running_loop().create_task(_answer(method, call, reply, limit))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return answer


async def _answer(method: Unary, call: Call, reply: Callable[[Reply], None], limit: int) -> None:
    try:
        if call.encoding not in WINDOW_BITS:
            raise Unsupported(f"a message compressed with {call.encoding} cannot be read; use gzip or deflate")
        call.body = await asyncio.to_thread(decompressed, call.body, limit)
    except Error as error:
        reply(Reply.refusal(error))
        return
    future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    method(call, future.set_result)
    answer = await future
    if len(answer) >= FROM_BYTES:
        answer.pieces = await asyncio.to_thread(squeezed, answer.pieces, call.encoding)
        answer.encoding = call.encoding
    reply(answer)
