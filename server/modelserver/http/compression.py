"""Compressed bodies: read within a limit, and written for clients that ask for it."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

from modelserver.errors import BadRequest, TooLarge
from modelserver.http.message import Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelserver.http.router import Answer, Endpoint, Parameters

# zlib tells gzip from zlib by the first bytes: a client that confuses the two names is understood.
WINDOW_BITS = {"gzip": zlib.MAX_WBITS + 16, "deflate": zlib.MAX_WBITS}
ANY_FORMAT = zlib.MAX_WBITS + 32
# Speed matters more than the last tenth of the size.
LEVEL = 1


def transparent(endpoint: Endpoint, limit: int) -> Endpoint:
    """`endpoint`, for which bodies are decompressed to `limit` bytes at most, and whose good answers are
    compressed where the client wants that. The work is done in threads.
    """

    def answer(request: Request, parameters: Parameters) -> Answer:
        headers = request.headers
        name = encoding(request) if b"content-encoding" in headers else None
        answer_name = wanted(request) if b"accept-encoding" in headers else None
        if not name and not answer_name:
            return endpoint(request, parameters)
        return _answer(endpoint, request, parameters, name, answer_name, limit)

    return answer


async def _answer(
    endpoint: Endpoint,
    request: Request,
    parameters: Parameters,
    name: str | None,
    answer_name: str | None,
    limit: int,
) -> Response:
    if name:
        body = await asyncio.to_thread(decompressed, request.body, limit)
        request = replace(request, body=body, _id=request.id)  # what the answer is called, too
    answer = endpoint(request, parameters)
    response = answer if isinstance(answer, Response) else await answer
    if answer_name and response.status == 200 and "content-encoding" not in _names(response):
        return await asyncio.to_thread(compressed, response, answer_name)
    return response


def encoding(request: Request) -> str | None:
    """How the body is compressed; None where it is not. Raises BadRequest for what cannot be read."""
    name = request.headers.get(b"content-encoding", b"identity").decode("latin-1").lower()
    if name == "identity":
        return None
    if name not in WINDOW_BITS:
        raise BadRequest(f"a body compressed with {name} cannot be read; use gzip or deflate, or send it as it is")
    return name


def wanted(request: Request) -> str | None:
    """The compression that the answer should have; None where it should have none.

    A client that accepts exactly one means it. Most libraries announce all that they know with every request,
    which is no reason to make every answer slower.
    """
    name = request.headers[b"accept-encoding"].decode("latin-1").strip().lower()
    return name if name in WINDOW_BITS else None


def decompressed(body: bytes | memoryview, limit: int) -> bytes:
    """What was compressed. Raises TooLarge when that is more than `limit` bytes, BadRequest when it is broken."""
    pieces: list[bytes] = []
    left = limit
    try:
        while body:  # gzip files may follow each other
            decompressor = zlib.decompressobj(ANY_FORMAT)
            pieces.append(decompressor.decompress(body, left + 1))
            left -= len(pieces[-1])
            if left < 0:
                raise TooLarge(f"the body is larger than the {limit} bytes allowed when it is decompressed")
            if not decompressor.eof:
                raise BadRequest("the compressed body ends too early")
            body = decompressor.unused_data
    except zlib.error as error:
        raise BadRequest(f"the body cannot be decompressed: {error}") from None
    return b"".join(pieces)


def compressed(response: Response, name: str) -> Response:
    """`response` with its body compressed as `name` says."""
    body = b"".join(squeezed((response.body, *response.tail), name))
    headers = (*response.headers, ("Content-Encoding", name))
    return type(response)(response.status, body, response.content_type, headers)


def squeezed(pieces: Iterable[bytes | bytearray | memoryview], name: str) -> list[bytes]:
    """The bytes of `pieces`, compressed as `name` says."""
    compressor = zlib.compressobj(LEVEL, wbits=WINDOW_BITS[name])
    return [*map(compressor.compress, pieces), compressor.flush()]


def _names(response: Response) -> set[str]:
    return {name.lower() for name, _ in response.headers}
