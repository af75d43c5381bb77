"""One connection: HTTP/2 as nghttp2 understands it, calls as gRPC does, each answered when its reply is there.

A connection takes leave without losing a call: it asks the client to begin no more calls here, waits until the
client must have heard that, says which call was the last that it took, and closes when all of them are answered.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from ngh2 import Configuration, ErrorCode, NGH2Error, Role, Setting
from ngh2 import Connection as Session
from ngh2.events import DataReceived, PingAcknowledged, RequestReceived, SettingsReceived, StreamClosed

from modelserver.errors import Error, TooLarge, Unavailable, Unsupported
from modelserver.grpc.message import NOT_GRPC, OK, Call, Code, Reply
from modelserver.grpc.stream import PREFIX, Stream, prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelserver.grpc.message import Headers
    from modelserver.http.reader import Limits

    Unary = Callable[[Call, Callable[[Reply], None]], None]
    Streaming = Callable[[bytes], bytes]

# Calls under way on one connection; a client with more holds them back until others are answered.
MAX_STREAMS = 128
MAX_HEAD_BYTES = 16 * 1024
STREAM_WINDOW = 1024 * 1024
CONNECTION_WINDOW = 16 * 1024 * 1024
FRAME_BYTES = 256 * 1024
# Messages from here on count until they are answered, smaller ones only while they arrive.
LARGE = 64 * 1024
# Load balancers forget connections that are silent for a minute.
SILENT_S = 45.0
# So that a new replica gets its share of the clients that never hang up.
MAX_AGE_S = 600.0
FAREWELL = b"farewell"
FAREWELL_S = 2.0

SETTINGS = {
    Setting.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
    Setting.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
    Setting.MAX_FRAME_SIZE: FRAME_BYTES,
    Setting.MAX_HEADER_LIST_SIZE: MAX_HEAD_BYTES,
}
CONFIGURATION = Configuration(
    max_inbound_header_list_size=MAX_HEAD_BYTES,
    max_inbound_header_count=100,
    # At once, and a second: a busy client whose deadlines are too short gives up many calls, and is no attacker.
    stream_reset_rate_limit=(10_000, 1_000),
)


class Host(Protocol):
    """What a connection needs to know of the listener that it belongs to: the methods by path, those that take one
    message and those that answer each of many, and the limits.
    """

    unary: Mapping[str, Unary]
    streaming: Mapping[str, Streaming]
    limits: Limits
    draining: bool

    def join(self, connection: Connection) -> bool:
        """Counts `connection` in, to be expired when its time is up; false when there is no room for it."""

    def leave(self, connection: Connection) -> None:
        """Counts `connection` out."""

    def hold(self, count: int) -> bool:
        """Counts bytes that wait for an answer in or, below 0, out; false when there are too many."""


class Connection(asyncio.Protocol):
    """The protocol object of one connection."""

    def __init__(self, host: Host, loop: asyncio.AbstractEventLoop) -> None:
        self._host = host
        self._loop = loop
        self._session = Session(Role.SERVER, CONFIGURATION)
        self._transport: asyncio.Transport
        self._streams: dict[int, Stream] = {}
        self._arriving: dict[int, Stream] = {}
        self._began = self._heard = loop.time()
        self._max_age_s = MAX_AGE_S * random.uniform(0.9, 1.1)  # noqa: S311  # so that not all leave at once
        self._greeted = False
        self._pinged = False
        self._leaving_since: float | None = None
        self._left = False
        self._ended = False  # half-closed, waiting for the client to close
        self._writable = True
        self._write_planned = False

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Joins the listener's connections, and tells the client what it may send."""
        self._transport = cast("asyncio.Transport", transport)
        self._session.initiate_connection(SETTINGS)
        self._session.set_local_window_size(CONNECTION_WINDOW)
        if not self._host.join(self):
            self._session.terminate_connection(ErrorCode.ENHANCE_YOUR_CALM)
        self._write()
        if self._host.draining:
            self.leave()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Leaves the listener's connections; replies that are still being made are dropped when they come."""
        self._ended = True
        for stream_id in list(self._streams):
            self._forget(stream_id)
        self._host.leave(self)

    def data_received(self, data: bytes) -> None:
        """Reads `data` and answers the calls that it completes."""
        if self._ended:
            return
        self._heard, self._pinged = self._loop.time(), False
        try:
            self._session.receive_data(data)
        except NGH2Error:
            self._flush()
            self._hang_up()
            return
        for event in self._session.events():
            if isinstance(event, DataReceived):
                self._receive(event)
            elif isinstance(event, RequestReceived):
                self._begin(event)
            elif isinstance(event, StreamClosed):
                self._forget(event.stream_id)
            elif isinstance(event, SettingsReceived):
                self._greeted = True
            elif isinstance(event, PingAcknowledged) and event.opaque_data == FAREWELL:
                self._leave_now()
        for stream_id, stream in list(self._arriving.items()):
            self._hold(stream_id, stream)
        self._plan_write()

    def pause_writing(self) -> None:
        """The client reads slower than it asks: replies wait."""
        self._writable = False

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._writable = True
        self._write()

    # What the listener calls

    def leave(self) -> None:
        """Takes leave of the client: closes as soon as no call is lost by it."""
        if self._leaving_since is None and not self._ended:
            self._leaving_since = self._loop.time()
            with suppress(NGH2Error):  # the client has taken leave already
                self._session.send_shutdown_notice()
                self._flush()  # before the ping, which would overtake it
                self._session.ping(FAREWELL)
            self._flush()

    def expire(self, now: float) -> None:
        """Ends what has taken too long at `now`."""
        if self._ended:
            if now - self._heard > self._host.limits.linger_s:
                self._transport.close()
            return
        for stream_id, stream in list(self._streams.items()):
            if now - stream.since > self._host.limits.request_s:
                self._give_up(stream_id, stream)
        if now - self._began > self._max_age_s:
            self.leave()
        if self._leaving_since is not None and now - self._leaving_since > FAREWELL_S:
            self._leave_now()
        self._check_silence(now)
        self._write()

    def _leave_now(self) -> None:
        """Says which call was the last; the connection ends when all are answered."""
        if not self._left:
            self._left = True
            with suppress(NGH2Error):  # the client has taken leave already
                self._session.send_goaway()

    def _check_silence(self, now: float) -> None:
        patience, silent = self._host.limits.request_s, now - self._heard
        if silent > SILENT_S + patience or (not self._greeted and now - self._began > patience):
            self._transport.abort()
        elif silent > SILENT_S and not self._pinged:
            self._pinged = True
            with suppress(NGH2Error):  # the client has taken leave already
                self._session.ping()

    # How calls arrive

    def _begin(self, event: RequestReceived) -> None:
        headers = dict(event.headers)
        path = headers.get(b":path", b"").decode("latin-1")  # CONNECT has none
        stream = Stream(Call("POST", path, headers), self._heard)
        self._streams[event.stream_id] = self._arriving[event.stream_id] = stream
        if not headers.get(b"content-type", b"").startswith(b"application/grpc"):
            self._end(event.stream_id, NOT_GRPC)
        elif event.end_stream:
            self._complete(event.stream_id, stream)

    def _receive(self, event: DataReceived) -> None:
        stream = self._arriving.get(event.stream_id)
        if stream is None:
            return
        stream.receive(event.data)
        limit = self._host.limits.body_bytes
        if max(stream.filled, stream.expected) > limit + PREFIX.size:
            large = TooLarge(f"the message is larger than the {limit} bytes allowed")
            self._refuse(event.stream_id, Reply.refusal(large))
        elif stream.call.target in self._host.streaming:
            with suppress(NGH2Error):  # given up in what was just read
                self._answer_each(event, stream)
        elif stream.call.target not in self._host.unary:
            unknown = Unsupported(f"this server has no method {stream.call.target}")
            self._refuse(event.stream_id, Reply.refusal(unknown))
        elif event.end_stream:
            self._complete(event.stream_id, stream)

    def _complete(self, stream_id: int, stream: Stream) -> None:
        """Hands a call to its method."""
        del self._arriving[stream_id]
        if stream.filled > LARGE and not self._hold(stream_id, stream):
            return
        try:
            call = stream.complete()
        except Error as error:
            self._reply(stream_id, Reply.refusal(error))
        else:
            self._host.unary[call.target](call, partial(self._reply, stream_id))

    def _answer_each(self, event: DataReceived, stream: Stream) -> None:
        """Answers the messages of a stream that have arrived whole, and its end."""
        stream_id, method = event.stream_id, self._host.streaming[stream.call.target]
        status = OK if event.end_stream else None
        if not stream.answered:
            stream.answered = True
            self._session.send_response(stream_id, Reply().headers(stream.call.id))
        try:
            for message in stream.messages():
                answer = Reply([method(message)])
                self._session.send_data(stream_id, prefix(answer) + answer.pieces[0])
        except Error as error:
            status = Reply.refusal(error).status()
        if status:
            self._session.send_trailers(stream_id, status)

    def _hold(self, stream_id: int, stream: Stream) -> bool:
        """Has the listener count what a call occupies by now; one that is too much is refused."""
        more = stream.size() - stream.held
        stream.held += more
        if self._host.hold(more):
            return True
        busy = Unavailable("the server has too many large requests to answer; try again later")
        self._refuse(stream_id, Reply.refusal(busy))
        return False

    def _give_up(self, stream_id: int, stream: Stream) -> None:
        """Ends a call that does not arrive, or whose reply is not read; one that runs has a limit of its own."""
        if stream.answered:
            with suppress(NGH2Error):  # given up in what was just read
                self._session.reset_stream(stream_id, ErrorCode.CANCEL)
        elif stream_id in self._arriving:
            after_s = self._host.limits.request_s
            late = f"the call did not arrive within {after_s:g} s"
            self._refuse(stream_id, Reply(code=Code.DEADLINE_EXCEEDED, sentence=late))

    def _forget(self, stream_id: int) -> None:
        self._arriving.pop(stream_id, None)
        stream = self._streams.pop(stream_id, None)
        if stream and stream.held:
            self._host.hold(-stream.held)

    # How they are answered

    def _reply(self, stream_id: int, reply: Reply) -> None:
        """Answers a call, unless the client has gone or has given it up."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        stream.since, stream.answered = self._loop.time(), True
        headers = reply.headers(stream.call.id)
        try:
            if reply.code:
                self._session.send_response(stream_id, headers, end_stream=True)
            else:
                self._session.send_response(stream_id, headers)
                self._session.send_data(stream_id, prefix(reply))
                for piece in reply.pieces:
                    self._session.send_data(stream_id, piece)
                self._session.send_trailers(stream_id, OK)
        except NGH2Error:  # given up in what was just read
            return
        self._plan_write()

    def _refuse(self, stream_id: int, reply: Reply) -> None:
        """Answers a call that has not arrived whole; the rest of it is not read."""
        self._end(stream_id, reply.headers(self._streams[stream_id].call.id))

    def _end(self, stream_id: int, headers: Headers) -> None:
        self._arriving.pop(stream_id, None)
        with suppress(NGH2Error):  # given up in what was just read
            self._session.send_response(stream_id, headers, end_stream=True)
            self._flush()  # before the reset, which would overtake it
            self._session.reset_stream(stream_id, ErrorCode.NO_ERROR)

    def _plan_write(self) -> None:
        """Sends at the end of the loop's turn, with the replies of short runs. Clients like grpc-go ask for a sign
        of life with each call: an answer of its own to that would cost as much as the reply.
        """
        if not self._write_planned:
            self._write_planned = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        """Sends what there is to send, unless the client is slow to read."""
        self._write_planned = False
        if self._writable and not self._ended:
            self._flush()

    def _flush(self) -> None:
        session = self._session
        try:
            data = session.data_to_send()
        except NGH2Error:
            self._hang_up()
            return
        if data:
            self._transport.write(data)
        for event in session.events():
            if isinstance(event, StreamClosed):
                self._forget(event.stream_id)
        if not session.want_read and not session.want_write:
            self._hang_up()

    def _hang_up(self) -> None:
        """Closes our half; the client's end of stream, or `linger_s`, closes the rest."""
        if not self._ended and not self._transport.is_closing():
            self._transport.write_eof()
        self._ended = True
        self._heard = self._loop.time()
