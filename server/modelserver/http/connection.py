"""One connection: its requests are answered one after the other, in their order, and it ends without losing one.

A connection is never closed on a client that may still be sending: it is half-closed and read empty first. Unread
bytes would make the kernel reset it, and the client might lose an answer that it had not read yet.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import TYPE_CHECKING, Protocol, cast

from modelserver.http.message import Deferred, Request, Response, head, new_id
from modelserver.http.reader import LARGE, Limits, Reader
from modelserver.http.sockets import has_data

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = Callable[[Request], Response | Deferred[Response]]

# So that a canary gets its share of the clients that never hang up.
MAX_AGE_S = 60.0


class Host(Protocol):
    """What a connection needs to know of the listener that it belongs to."""

    limits: Limits
    draining: bool
    date: str

    def answer(self, request: Request) -> Response | Deferred[Response]:
        """The response to `request`, now or later; never raises."""

    def join(self, connection: Connection) -> bool:
        """Counts `connection` in, to be expired when its time is up; false when there is no room for it."""

    def leave(self, connection: Connection) -> None:
        """Counts `connection` out."""

    def hold(self, count: int) -> bool:
        """Counts bytes that wait for an answer in or, below 0, out; false when there are too many."""


class Connection(asyncio.Protocol):
    """The protocol object of one connection."""

    def __init__(self, host: Host, clock: Callable[[], float]) -> None:
        self._host = host
        self._clock = clock
        self._since = clock()  # when the present state (idle, reading, answering, lingering) began
        self._old_at = self._since + MAX_AGE_S * random.uniform(0.9, 1.1)  # noqa: S311  # not all leave at once
        self._reader = Reader(host.limits)
        self._waiting: deque[Request | Response] = deque()  # a response stands for what could not be read
        self._current: Request | Response | None = None
        self._transport: asyncio.Transport
        self._eof = False  # the client will send no more
        self.ended = False  # nothing that still arrives will be answered
        self._lingering = False  # half-closed, waiting for the client to close
        self._writable = True
        self._paused = False
        self._held = 0  # bytes of large bodies that were not answered yet

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Joins the listener's connections."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._host.join(self):
            busy = Response.error(503, "there are too many connections; try again later", ("Retry-After", "1"))
            self._write(busy)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Leaves the listener's connections; an answer that is still being made is dropped when it comes."""
        self.ended = True
        self._current = None
        self._waiting.clear()
        self._release()
        self._reader.close()
        self._host.leave(self)

    def data_received(self, data: bytes) -> None:
        """Reads `data` and answers the requests that it completes."""
        if self.ended:
            return
        was_reading = self._reader.reading
        messages = self._reader.feed(data)
        if self._reader.reading:
            if not was_reading and not self._current:
                self._since = self._clock()
            if (rest := self._reader.rest()) is not None:
                self._transport.set_protocol(LargeBody(self, rest))
            if self._reader.held_bytes > LARGE:
                self.hold(self._reader.held_bytes - self._held)
        self._read(messages)

    def hold(self, count: int) -> None:
        """Counts bytes of a body that is being received, and refuses it when the server holds too many already."""
        self._held += count
        if not self._host.hold(count):
            busy = "the server has too many large requests to answer; try again later"
            self._refuse(Response.error(503, busy, ("Retry-After", "1")))

    def body_received(self) -> None:
        """Answers the request whose large body is complete."""
        self._transport.set_protocol(self)
        self._read(self._reader.complete())

    def eof_received(self) -> bool:
        """Keeps the transport open while there is still something to answer."""
        self._eof = self.ended = True
        return self._current is not None or bool(self._waiting)

    def pause_writing(self) -> None:
        """The client reads slower than it asks: no further request is answered."""
        self._writable = False

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._writable = True
        self._advance()

    # What the listener calls

    def expire(self, now: float, idle_s: float) -> None:
        """Ends the connection if it has been in its present state for too long at `now`."""
        limits, age = self._host.limits, now - self._since
        if self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size():  # the client has yet to read its answer
            if age > limits.request_s:
                self._transport.abort()
        elif self._lingering:
            if age > limits.linger_s:
                self._transport.close()
        elif self._current or self._reader.reading:
            if age > limits.request_s:
                self._give_up(limits.request_s)
        elif age > idle_s and not has_data(self._transport.get_extra_info("socket").fileno()):
            self._hang_up()

    # How it answers

    def _read(self, messages: list[Request | Response]) -> None:
        if messages:
            self._waiting.extend(messages)
            self.ended = not messages[-1].keep_alive
        self._advance()

    def _advance(self) -> None:
        """Answers waiting requests until one has to be waited for."""
        waiting = self._waiting
        while waiting and self._current is None and self._writable:
            message = self._current = waiting.popleft()
            self._since = self._clock()
            answer = message if isinstance(message, Response) else self._host.answer(message)
            if isinstance(answer, Response):
                self._write(answer)
            else:
                answer.then(self._answered)
        if self._reader.awaited and not self._current and not self.ended:
            self._reader.awaited = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._paused != bool(waiting):
            self._pause_or_resume()

    def _answered(self, response: Response) -> None:
        if self._current is not None:
            self._write(response)
            if self._waiting or self._reader.awaited:
                self._advance()

    def _write(self, response: Response) -> None:
        asked, self._current = self._current, None
        self._since = self._clock()
        if isinstance(asked, Request):
            is_head, request_id = asked.method == "HEAD", asked.id
            is_old = self._since > self._old_at and not self._reader.reading
            is_leaving = self.ended or self._host.draining or is_old
            last = not asked.keep_alive or (is_leaving and not self._waiting)
        else:
            is_head, request_id, last = False, new_id(), True
        first = head(response, request_id, self._host.date, close=last)
        if is_head:
            self._transport.write(first)
        elif response.tail:
            self._transport.writelines([first, response.body, *response.tail])
        else:
            self._transport.write(first + response.body)
        if self._held and not self._waiting:
            self._release()
        if last:
            self._hang_up()

    def _release(self) -> None:
        self._host.hold(-self._held)
        self._held = 0

    def _pause_or_resume(self) -> None:
        """While requests wait, the rest stays in the kernel, and slows the client."""
        if self._transport.is_closing():
            return
        self._paused = bool(self._waiting)
        if self._paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _give_up(self, after_s: float) -> None:
        if self._current:
            response = Response.error(503, f"there was no answer within {after_s:g} s")
        else:
            response = Response.error(408, f"the request did not arrive within {after_s:g} s")
        self._refuse(response)

    def _refuse(self, response: Response) -> None:
        """Answers this instead of anything else, and nothing after it."""
        self._waiting.clear()
        self._current = response
        self._write(response)

    def _hang_up(self) -> None:
        """Closes our half; the client's end of stream, or `linger_s`, closes the rest."""
        self.ended = self._lingering = True
        self._transport.set_protocol(self)  # and no longer the receiver of a large body
        self._waiting.clear()
        self._since = self._clock()
        if self._eof:
            self._transport.close()
        elif not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()
            self._transport.write_eof()


class LargeBody(asyncio.BufferedProtocol):
    """Receives the rest of a large body into its place, for the connection that it is a part of."""

    def __init__(self, connection: Connection, rest: memoryview) -> None:
        self._connection = connection
        self._rest = rest
        self.eof_received = connection.eof_received  # type: ignore[method-assign]
        self.connection_lost = connection.connection_lost  # type: ignore[method-assign]
        self.pause_writing = connection.pause_writing  # type: ignore[method-assign]
        self.resume_writing = connection.resume_writing  # type: ignore[method-assign]

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Where the next bytes go."""
        return self._rest

    def buffer_updated(self, nbytes: int) -> None:
        """So many bytes went there."""
        self._rest = self._rest[nbytes:]
        connection = self._connection
        connection.hold(nbytes)
        if not self._rest and not connection.ended:
            vars(self).clear()  # the transport remembers this object, and with it the body, until it ends itself
            connection.body_received()
