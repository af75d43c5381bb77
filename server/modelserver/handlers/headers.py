"""The headers by which Azure ML's clients follow a request, and by which a browser lets a page read the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelserver.http.message import Request

    Headers = tuple[tuple[str, str], ...]

REQUEST_ID = "x-request-id"  # every answer of the server has it
FORMER_ID = "x-ms-request-id"  # the former name of both others
CLIENT_ID = "x-ms-client-request-id"
LONGEST = 100


class IdTooLong(Exception):
    """An id is longer than it may be; the sentences are those of Azure ML's server."""

    def __init__(self, names: str) -> None:
        super().__init__(f"{names} must not exceed {LONGEST} characters")


def ids(request: Request) -> Headers:
    """The ids that the answer to `request` carries beside its own. Raises IdTooLong."""
    if len(_text(request.headers, REQUEST_ID)) > LONGEST:
        raise IdTooLong(REQUEST_ID)
    former, client = _text(request.headers, FORMER_ID), _text(request.headers, CLIENT_ID)
    if max(len(former), len(client)) > LONGEST:
        raise IdTooLong(f"{FORMER_ID} and {CLIENT_ID}")
    given = ((CLIENT_ID, client or former),) if client or former else ()
    return ((FORMER_ID, former or client or request.id), *given)


class Origins:
    """The pages that may read answers, as `AML_CORS_ORIGINS` lists them: `https://a.example, https://b.example`."""

    def __init__(self, listed: str) -> None:
        self._allowed = {origin.strip() for origin in listed.split(",")} - {""}

    def headers(self, asked: Mapping[bytes, bytes]) -> Headers:
        """What the answer to a request with these headers says about that."""
        origin = _text(asked, "origin")
        if not origin or not self._allowed & {"*", origin}:
            return ()
        allowed = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
        if _text(asked, "access-control-request-method") in ("GET", "POST"):
            allowed.append(("Access-Control-Allow-Methods", "GET, POST"))
            if names := _text(asked, "access-control-request-headers"):
                allowed.append(("Access-Control-Allow-Headers", names))
        return tuple(allowed)


def _text(asked: Mapping[bytes, bytes], name: str) -> str:
    return asked.get(name.encode(), b"").decode("latin-1")
