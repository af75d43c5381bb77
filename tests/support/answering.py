"""In the place of an API server: with its certificate and at its address, and the same HTTP status for everything.

Runs as a program of its own in the cluster's network: ``answering.py ADDRESS PORT CERTIFICATE KEY STATUS``.
"""

import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer


class Handler(BaseHTTPRequestHandler):
    """Says the status in the way of an API server."""

    protocol_version = "HTTP/1.1"
    status = 500

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.dumps(
            {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": self.status}
        ).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815  as the base class calls them


class Server(ThreadingHTTPServer):
    """Takes all the connections that controllers make at once."""

    request_queue_size = 128

    def server_bind(self) -> None:
        """Without looking its name up: there is no DNS here."""
        TCPServer.server_bind(self)


def main(address: str, port: str, certificate: str, key: str, status: str) -> None:
    """Serve until killed."""
    Handler.status = int(status)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server((address, int(port)), Handler)
    # Whoever is slow to shake hands is waited for in a thread of its own.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
