"""An HTTP proxy between a client and one server, which loses connections and refuses requests when told to.

It also stands in for DNS: whatever host the client names, the server gets the request, with that Host header.
"""

from __future__ import annotations

import http.client
import socket
import struct
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE = 16 * 1024


@dataclass
class Proxy:
    """A running proxy to `upstream`; its faults can be changed at any time."""

    upstream: tuple[str, int]
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)  # method, path and query, range
    bytes_before_cut: int | None = None  # in each body; then the connection is reset
    cuts: int = 1_000_000  # how often
    status: int | None = None  # answered to everything, if set
    bytes_before_stall: int | None = None  # in each body; then nothing more comes until this is None again
    before_each: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Ends the proxy: from now on it cannot be reached."""
        self.bytes_before_stall = None
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        target = url.path + (f"?{url.query}" if url.query else "")
        self.proxy.requests.append((self.command, target, self.headers.get("Range")))
        self.proxy.before_each()
        if self.proxy.status:
            self.send_error(self.proxy.status)
            return
        self._forward(target)

    do_HEAD = do_PUT = do_DELETE = do_POST = do_GET  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        pass

    def _forward(self, target: str) -> None:
        upstream = http.client.HTTPConnection(*self.proxy.upstream, timeout=30)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        upstream.request(self.command, target, body or None, dict(self.headers))
        answer = upstream.getresponse()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "keep-alive", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if self.command != "HEAD":
            self._send_body(answer)
        upstream.close()

    def _send_body(self, answer: http.client.HTTPResponse) -> None:
        proxy, sent = self.proxy, 0
        while piece := answer.read(PIECE):
            if proxy.cuts > 0 and _is_over(proxy.bytes_before_cut, sent + len(piece)):
                proxy.cuts -= 1
                self._reset()
                return
            while _is_over(proxy.bytes_before_stall, sent + len(piece)):
                time.sleep(0.01)
            self.wfile.write(piece)
            sent += len(piece)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def _is_over(limit: int | None, size: int) -> bool:
    return limit is not None and size > limit
