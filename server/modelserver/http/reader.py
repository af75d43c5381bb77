"""Bytes in, requests out: httptools (llhttp) parses, and what breaks a limit or the grammar is refused."""

from __future__ import annotations

from dataclasses import dataclass

import httptools

from modelserver.http.message import Request, Response


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may ask for. An idle connection outlives the 60 s for which proxies keep theirs."""

    head_bytes: int = 32 * 1024
    body_bytes: int = 64 * 1024 * 1024
    idle_s: float = 90.0
    request_s: float = 30.0
    linger_s: float = 2.0


@dataclass(slots=True)
class Exchange:
    """A request to be answered, or the response to one that could not be read, and whether another may follow."""

    message: Request | Response
    keep_alive: bool
    is_head: bool = False


class Refused(Exception):
    """Raised in a callback of the parser to end a request that breaks a limit."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.response = Response.error(status, sentence)


class Reader:
    """The requests of one connection, however the network has cut them into pieces.

    `reading` is true within a request; `awaited` while the client waits for "100 Continue" to send its body.
    """

    def __init__(self, limits: Limits) -> None:
        self.reading = False
        self.awaited = False
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._done: list[Exchange] = []
        self._finished = False
        self._in_head = False
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._head_bytes = self._unfinished_bytes = self._body_bytes = 0

    def feed(self, data: bytes) -> list[Exchange]:
        """The requests that `data` completes. After one that does not keep the connection alive comes no other."""
        if self._finished:
            return []
        head_begun = self._headers if self._in_head else None
        try:
            self._parser.feed_data(data)
            if self._in_head and self._headers is head_begun:
                self._unfinished_bytes += len(data)  # a header that never ends shows only as bytes
                self._check_head(self._unfinished_bytes)
        except httptools.HttpParserUpgrade:
            pass  # the request is answered as plain HTTP/1.1; whatever follows it is not HTTP
        except httptools.HttpParserCallbackError as error:
            self._refuse(error.__context__)
        except (httptools.HttpParserError, Refused) as error:
            self._refuse(error)
        done, self._done = self._done, []
        return done

    # What the parser calls

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url = b""
        self._headers = {}
        self._body = []
        self._head_bytes = self._unfinished_bytes = self._body_bytes = 0
        self._in_head = self.reading = True

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._url += url
        self._head_bytes += len(url)
        self._check_head(self._head_bytes)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers[name.lower()] = value
        self._head_bytes += len(name) + len(value) + 4
        self._check_head(self._head_bytes)

    def on_headers_complete(self) -> None:
        """Refuses what can be refused before its body is read."""
        self._in_head = False
        length = self._headers.get(b"content-length", b"")
        self._check_body(int(length) if length.isdigit() else 0)
        if b"host" not in self._headers and self._parser.get_http_version() == "1.1":
            raise Refused(400, "the request has no Host header")
        expectation = self._headers.get(b"expect", b"").lower()
        if expectation not in (b"", b"100-continue"):
            raise Refused(417, "the only expectation that can be met is 100-continue")
        self.awaited = bool(expectation)

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body.append(body)
        self._body_bytes += len(body)
        self._check_body(self._body_bytes)

    def on_message_complete(self) -> None:
        """A request is complete."""
        method = self._parser.get_method().decode("ascii")
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        request = Request(method, self._url.decode("latin-1"), self._headers, body)
        keep_alive = self._parser.should_keep_alive() and not self._parser.should_upgrade()
        self._finish(Exchange(request, keep_alive, method == "HEAD"))

    # Limits

    def _refuse(self, error: BaseException | None) -> None:
        refused = error if isinstance(error, Refused) else Refused(400, f"this is not valid HTTP/1.1: {error}")
        self._finish(Exchange(refused.response, keep_alive=False))

    def _finish(self, exchange: Exchange) -> None:
        self._done.append(exchange)
        self._finished = not exchange.keep_alive
        self.reading = self.awaited = False

    def _check_head(self, size: int) -> None:
        if size > self._limits.head_bytes:
            raise Refused(431, f"the request's head is larger than {self._limits.head_bytes} bytes")

    def _check_body(self, size: int) -> None:
        if size > self._limits.body_bytes:
            raise Refused(413, f"the body is larger than the {self._limits.body_bytes} bytes allowed")
