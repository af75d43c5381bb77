"""Bytes in, requests out: httptools (llhttp) parses, and what breaks a limit or the grammar is refused."""

from __future__ import annotations

from dataclasses import dataclass

import httptools
import numpy as np

from modelserver.http.message import Request, Response

# From here on, receiving a body into its place is faster than joining its pieces.
LARGE = 64 * 1024
NOTHING: list[Request | Response] = []
METHODS = {method.encode(): method for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may ask for. An idle connection outlives the 60 s for which proxies keep theirs."""

    head_bytes: int = 32 * 1024
    body_bytes: int = 64 * 1024 * 1024
    idle_s: float = 90.0
    request_s: float = 30.0
    linger_s: float = 2.0
    # Of all connections together: how many there may be, and how much their large bodies may hold until answered.
    connections: int = 1000
    held_bytes: int = 256 * 1024 * 1024


class Refused(Exception):
    """Raised in a callback of the parser to end a request that breaks a limit."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.response = Response.error(status, sentence)


class Reader:
    """The requests of one connection, however the network has cut them into pieces.

    `reading` is true within a request; `awaited` while the client waits for "100 Continue" to send its body.
    """

    __slots__ = (
        "_body",
        "_done",
        "_fed",
        "_filled",
        "_finished",
        "_head_begun",
        "_headers",
        "_in_head",
        "_large",
        "_limits",
        "_parser",
        "_url",
        "awaited",
        "reading",
    )

    def __init__(self, limits: Limits) -> None:
        self.reading = False
        self.awaited = False
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._done: list[Request | Response] = []
        self._finished = False
        self._in_head = False
        self._head_begun = False  # within the piece that is being fed
        self._fed = 0  # bytes of the pieces that the present head lies in
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: bytes | bytearray = b""
        self._large: memoryview | None = None
        self._filled = 0

    def feed(self, data: bytes) -> list[Request | Response]:
        """The requests that `data` completes; last the refusal of one that cannot be read. After that, and after a
        request that does not keep the connection alive, comes no other.
        """
        if self._finished:
            return []
        done: list[Request | Response] = []
        self._done = done
        self._fed = self._fed + len(data) if self._in_head else len(data)
        self._head_begun = False
        try:
            self._parser.feed_data(data)
            if self._in_head:
                self._check_unfinished_head()
        except httptools.HttpParserUpgrade:
            pass  # the request is answered as plain HTTP/1.1; whatever follows it is not HTTP
        except httptools.HttpParserCallbackError as error:
            self._refuse(error.__context__)
        except (httptools.HttpParserError, Refused) as error:
            self._refuse(error)
        self._done = NOTHING  # a large body is kept by whoever answers it, and by nobody else
        return done

    def rest(self) -> memoryview | None:
        """Where the rest of a large body belongs, of which nothing but that may be received now."""
        if self._large is None or self._finished:
            return None
        return self._large[self._filled :]

    def complete(self) -> list[Request | Response]:
        """The request whose body has been received into `rest()`."""
        done: list[Request | Response] = []
        self._done = done
        self.on_message_complete()
        self._parser = httptools.HttpRequestParser(self)  # the old one still waits for this body
        self._done = NOTHING
        return done

    def close(self) -> None:
        """Lets go of everything: reader and parser know each other, and would wait for the garbage collector."""
        del self._parser
        self._large, self._body = None, b""

    # What the parser calls

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url = self._body = b""
        self._headers = {}
        self._in_head = self._head_begun = self.reading = True

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        name = name.lower()
        if not self._in_head:
            self._skip_trailer(name, value)
        elif name == b"host" and name in self._headers:
            raise Refused(400, "the request has two Host headers")
        else:
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        """Refuses what can be refused before its body is read."""
        self._in_head = False
        headers = self._headers
        if self._fed > self._limits.head_bytes:
            self._check_head(len(self._url) + sum(len(name) + len(value) + 4 for name, value in headers.items()))
        if (length := headers.get(b"content-length")) is not None:
            self._expect_body(int(length))
        version = self._parser.get_http_version()
        if version == "1.1":
            if b"host" not in headers:
                raise Refused(400, "the request has no Host header")
        elif version != "1.0":
            raise Refused(505, f"HTTP/{version} is not spoken here; use HTTP/1.1")
        if b"expect" in headers:
            if headers[b"expect"].lower() != b"100-continue":
                raise Refused(417, "the only expectation that can be met is 100-continue")
            self.awaited = True

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self._large is not None:
            end = self._filled + len(body)
            self._large[self._filled : end] = body
            self._filled = end
            return
        if not self._body:
            self._body = body
        else:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += body
        if len(self._body) > self._limits.body_bytes:
            raise self._too_large()

    def on_message_complete(self) -> None:
        """A request is complete."""
        parser, headers = self._parser, self._headers
        body = self._body if self._large is None else self._large
        if isinstance(body, bytearray):
            body = memoryview(body)
        self._large, self._body, self._filled = None, b"", 0
        method = parser.get_method()
        keep_alive = parser.should_keep_alive() and b"upgrade" not in headers
        name = METHODS.get(method) or method.decode("ascii")
        self._finish(Request(name, self._url.decode("latin-1"), headers, body, keep_alive))

    @property
    def held_bytes(self) -> int:
        """How much of the present body has been collected here."""
        return len(self._body) if self._large is None else self._filled

    # Limits

    def _skip_trailer(self, name: bytes, value: bytes) -> None:
        """What stands behind a body in chunks must not change what was said in the head."""
        self._filled += len(name) + len(value) + 4
        self._check_head(self._filled)

    def _expect_body(self, length: int) -> None:
        if length > self._limits.body_bytes:
            raise self._too_large()
        if length >= LARGE:
            # Not a bytearray, which would fill the memory with zeros before anything has arrived.
            self._large, self._filled = np.empty(length, np.uint8).data, 0

    def _refuse(self, error: BaseException | None) -> None:
        refused = error if isinstance(error, Refused) else Refused(400, f"this is not valid HTTP/1.1: {error}")
        self._finish(refused.response)

    def _finish(self, message: Request | Response) -> None:
        self._done.append(message)
        self._finished = not message.keep_alive
        self.reading = self.awaited = False

    def _check_unfinished_head(self) -> None:
        """A header that never ends shows only as bytes, of those pieces that hold nothing else."""
        if self._head_begun:
            self._fed = 0
        self._check_head(self._fed)

    def _check_head(self, size: int) -> None:
        if size > self._limits.head_bytes:
            raise Refused(431, f"the request's head is larger than {self._limits.head_bytes} bytes")

    def _too_large(self) -> Refused:
        return Refused(413, f"the body is larger than the {self._limits.body_bytes} bytes allowed")
