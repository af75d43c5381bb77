"""The HTTP client of the mirror. Importing this takes 0.2 s and 25 MB, which only a mirror is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from modelserver.observers.answers import Answer

if TYPE_CHECKING:
    from modelserver.observers.replay import Replay
    from modelserver.observers.room import Place

LEFT_TO_THE_REQUEST = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class NoAnswer(Exception):
    """There was no answer in time; its text says why."""


class Client:
    """Sends requests to the server at `url`, over up to `connections` connections."""

    def __init__(self, url: str, timeout_s: float, connections: int) -> None:
        self._url = url
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=LEFT_TO_THE_REQUEST,
            timeout=aiohttp.ClientTimeout(total=timeout_s),
        )

    async def send(self, request: Replay, place: Place) -> Answer:
        """The answer to `request`, which has to find its `place`. Raises NoAnswer and NoRoom."""
        url = URL(self._url + request.target, encoded=True)
        try:
            async with self._session.request(
                request.method, url, headers=request.headers, data=request.body, allow_redirects=False
            ) as answer:
                return Answer(answer.status, answer.headers, await _body(answer, place))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise NoAnswer(f"{type(error).__name__} {error}".strip()) from None

    async def close(self) -> None:
        """Closes every connection."""
        await self._session.close()


async def _body(answer: aiohttp.ClientResponse, place: Place) -> bytes:
    pieces = []
    async for piece in answer.content.iter_any():
        place.grow(len(piece))
        pieces.append(piece)
    return b"".join(pieces)
