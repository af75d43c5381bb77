"""The request as Flask knows it, for handlers that use it."""

from __future__ import annotations

import sys
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from flask import Flask

from modelserver.handlers.worker.aml import AMLRequest

if TYPE_CHECKING:
    from flask.ctx import RequestContext

    from modelserver.handlers.worker.request import Request

app = Flask("handler")
app.request_class = AMLRequest


def context(request: Request) -> RequestContext:
    """The context in which `flask.request` is `request`."""
    return app.request_context(environ(request))


def environ(request: Request) -> dict[str, Any]:
    """`request` as WSGI (PEP 3333) writes it."""
    host, _, port = request.headers.get("host", "").partition(":")
    found: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.path.encode("latin-1")).decode("latin-1"),
        "QUERY_STRING": request.query,
        "RAW_URI": f"{request.path}?{request.query}" if request.query else request.path,
        "SERVER_NAME": host or "localhost",
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(request.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        found[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return found
