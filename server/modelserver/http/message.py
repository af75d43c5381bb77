"""A request and a response, and the bytes that a response is on the wire."""

from __future__ import annotations

import asyncio
import http
import os
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

_REASONS = {status.value: status.phrase for status in http.HTTPStatus}
_ID_PREFIX = os.urandom(8).hex()
_ID_NUMBERS = count(1)
MAX_ID = 256

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Request:
    """One request. Header names are in lower case; of repeated headers the last one counts.

    `body` is bytes, or for a large one a view of the buffer that it was received into; nobody writes to it.
    `keep_alive` says whether another request may follow on the same connection.
    """

    method: str
    target: str
    headers: dict[bytes, bytes]
    body: bytes | memoryview = b""
    keep_alive: bool = True
    _id: str = ""

    @property
    def id(self) -> str:
        """What the client calls this request (the header x-request-id), else a name that no other request has."""
        if not self._id:
            given = self.headers.get(b"x-request-id", b"")
            self._id = given.decode("latin-1") if 0 < len(given) <= MAX_ID else new_id()
        return self._id


def new_id() -> str:
    """A name for a request that no other has."""
    return f"{_ID_PREFIX}{next(_ID_NUMBERS)}"


@dataclass(slots=True)  # frozen, it would take three times as long to make
class Response:
    """One response; `headers` are those beyond length, type, date, connection and id. `tail` follows `body`:
    buffers of bytes that are sent from where they are (tensors).
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    tail: Sequence[bytes | memoryview] = ()

    # What is answered instead of a request that could not be read ends its connection.
    keep_alive: ClassVar[bool] = False

    def __len__(self) -> int:
        """The bytes of the body."""
        return len(self.body) + sum(map(len, self.tail)) if self.tail else len(self.body)

    @classmethod
    def error(cls, status: int, sentence: str, *headers: tuple[str, str]) -> Response:
        """A response with `sentence` as `error`, where the Open Inference Protocol has it, and as `message`, where
        Azure ML has it: for errors in HTTP itself, before anybody knows which of them was meant.
        """
        return cls(status, orjson.dumps({"error": sentence, "message": sentence}), headers=headers)


class Deferred(Generic[Answer]):
    """An answer that comes later: whoever makes it calls `resolve`, once; whoever sends it calls `then`, once.

    A future that costs nothing: the callback runs within `resolve`, not a turn of the event loop later.
    """

    __slots__ = ("_answer", "_callback")

    def __init__(self) -> None:
        self._callback: Callable[[Answer], None] | None = None
        self._answer: Answer | None = None

    def then(self, callback: Callable[[Answer], None]) -> None:
        """Calls `callback` with the answer as soon as there is one, at once if there is."""
        if self._answer is None:
            self._callback = callback
        else:
            callback(self._answer)

    def resolve(self, answer: Answer) -> None:
        """Says what the answer is."""
        self._answer = answer
        if self._callback:
            self._callback(answer)

    def __await__(self) -> Generator[Any, None, Answer]:
        """The answer, for a coroutine."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.then(lambda answer: None if future.done() else future.set_result(answer))
        return future.__await__()


def head(response: Response, request_id: str, date: str, *, close: bool) -> bytes:
    """Status line and headers of `response`, up to and with the empty line."""
    beginning = _beginning(response.status, response.content_type, date, close)
    more = "".join([f"{name}: {value}\r\n" for name, value in response.headers]) if response.headers else ""
    length = len(response) if response.tail else len(response.body)
    return f"{beginning}{request_id}\r\n{more}Content-Length: {length}\r\n\r\n".encode("latin-1")


@lru_cache(maxsize=64)
def _beginning(status: int, content_type: str, date: str, close: bool) -> str:
    """What most of the answers within the same second begin with."""
    return (
        f"HTTP/1.1 {status} {_REASONS.get(status, '')}\r\nContent-Type: {content_type}\r\n"
        f"Connection: {'close' if close else 'keep-alive'}\r\nDate: {date}\r\nX-Request-Id: "
    )
