"""In the place of an API server: with its certificate and at its address, and the same HTTP status for everything.

Runs as a program of its own in the cluster's network: ``answering.py ADDRESS PORT CERTIFICATE KEY STATUS``.
"""

import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


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


def main(address: str, port: str, certificate: str, key: str, status: str) -> None:
    """Serve until killed."""
    Handler.status = int(status)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer((address, int(port)), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
