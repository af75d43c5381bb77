"""A CONNECT proxy that leads each host name to a port of this machine, and refuses those it was not told of."""

from __future__ import annotations

import socket
from contextlib import suppress
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

PIECE = 64 * 1024


class Tunnel:
    """A running proxy at an address of this machine, which is the `host` that its clients know. `routes` are ports
    by patterns of hosts; `refused` are those asked for in vain.
    """

    def __init__(self, routes: dict[str, int], host: str = "127.0.0.1") -> None:
        self.routes = routes
        self.refused: list[str] = []
        handler = type("Handler", (_Handler,), {"tunnel": self})
        self._server = ThreadingHTTPServer((host, 0), handler)
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://{host}:{self._server.server_port}"

    def port(self, host: str) -> int | None:
        """Where the host is, if anywhere."""
        port = next((port for pattern, port in self.routes.items() if fnmatch(host, pattern)), None)
        if port is None:
            self.refused.append(host)
        return port

    def close(self) -> None:
        """Ends the proxy."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    tunnel: Tunnel
    disable_nagle_algorithm = True

    def do_CONNECT(self) -> None:
        port = self.tunnel.port(self.path.rpartition(":")[0])
        if port is None:
            self.send_error(403)
            return
        self.send_response_only(200)
        self.end_headers()
        self.close_connection = True
        with socket.create_connection(("127.0.0.1", port)) as upstream:
            upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
            Thread(target=_copy, args=(upstream, self.connection), daemon=True).start()
            _copy(self.connection, upstream)

    def log_message(self, *arguments: object) -> None:
        pass


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(PIECE):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
