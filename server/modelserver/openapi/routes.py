"""`GET /openapi.json`, and the page that shows it at `GET /docs`: three files that know nothing of any model."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from modelserver.http.message import Response
from modelserver.http.router import Route
from modelserver.protocols.tensors import dumps

if TYPE_CHECKING:
    from modelserver.http.message import Request
    from modelserver.http.router import Endpoint, Parameters
    from modelserver.models.model import Model
    from modelserver.models.repository import Models

FOLDER = Path(__file__).parent / "page"
PAGE = {
    "/docs": ("page.html", "text/html; charset=utf-8"),
    "/docs/page.css": ("page.css", "text/css; charset=utf-8"),
    "/docs/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
# Names and descriptions come from models of others: nothing but these files may run, and nothing else is asked.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
)


def routes(models: Models, *, secured: bool, has_handler: bool) -> list[Route]:
    """The endpoints. Where the server is `secured`, the document tells so; a handler takes over `/score`."""

    async def described(_: Request, __: Parameters) -> Response:
        from modelserver.openapi.document import document  # noqa: PLC0415  # few servers are ever asked

        def written(served: list[Model]) -> bytes:
            return dumps(document(served, secured=secured, has_handler=has_handler))

        return Response(200, await asyncio.to_thread(written, list(models)))  # 0.25 s for a thousand models

    return [
        Route("GET", "/openapi.json", described),
        *(Route("GET", path, _file(name, content_type)) for path, (name, content_type) in PAGE.items()),
    ]


def _file(name: str, content_type: str) -> Endpoint:
    def answer(_: Request, __: Parameters) -> Response:
        return Response(200, (FOLDER / name).read_bytes(), content_type, HEADERS)

    return answer
