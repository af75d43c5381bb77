"""Which endpoint a request means, by method and path."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from modelserver.http.message import Deferred, Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterable

Parameters = dict[str, str]
Answer = Response | Deferred[Response] | Coroutine[None, None, Response]
Endpoint = Callable[[Request, Parameters], Answer]

ANY = "*"  # stands for every method
# Clients send few different targets, again and again; a client that makes them up must not fill the memory.
REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Route:
    """`endpoint` answers `method` (or ANY) on `path`, in which `{name}` stands for one segment of any text. It may
    be a coroutine function.

    It is called with the request and with the decoded parameters of path and query (of repeated names in the query
    the first one counts; the path's win). GET routes answer HEAD as well.
    """

    method: str
    path: str
    endpoint: Endpoint

    def pattern(self) -> re.Pattern[str]:
        """The regular expression that the path of a target has to match in full."""
        return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(self.path)))


class Router:
    """The routes of one server."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = [(route, route.pattern()) for route in routes]
        self._known: dict[tuple[str, str], tuple[Endpoint, Parameters]] = {}

    def answer(self, request: Request) -> Answer:
        """What the endpoint answers that `request` means, or 404 or 405."""
        key = (request.method, request.target)
        known = self._known.get(key)
        if not known:
            found = self._find(*key)
            if isinstance(found, Response):
                return found
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = self._known[key] = found
        endpoint, parameters = known
        return endpoint(request, parameters)

    def has(self, method: str, target: str) -> bool:
        """Whether an endpoint answers `method` at `target`."""
        return not isinstance(self._find(method, target), Response)

    def _find(self, method: str, target: str) -> tuple[Endpoint, Parameters] | Response:
        path, query = _split(target)
        wanted = "GET" if method == "HEAD" else method
        allowed = []
        for route, pattern in self._routes:
            if match := pattern.fullmatch(path):
                if route.method in (wanted, ANY):
                    return route.endpoint, query | _decoded(match)
                allowed.append(route.method)
        return _not_allowed(unquote(path), allowed) if allowed else _not_found(unquote(path))


def _split(target: str) -> tuple[str, dict[str, str]]:
    """The path of `target`, still encoded, and its query."""
    path, _, query = target.partition("?")
    if path.startswith("http"):
        path = _path_of(path)  # absolute form, as proxies send it
    return path, {name: values[0] for name, values in parse_qs(query).items()}


def _path_of(url: str) -> str:
    try:
        return urlsplit(url).path or "/"
    except ValueError:
        return url


def _decoded(match: re.Match[str]) -> dict[str, str]:
    return {name: unquote(value) for name, value in match.groupdict().items()}


def _not_found(path: str) -> Response:
    return Response.error(404, f"there is nothing at {path}; try GET /score or GET /v2")


def _not_allowed(path: str, methods: list[str]) -> Response:
    allowed = ", ".join([*methods, "HEAD"] if "GET" in methods else methods)
    return Response.error(405, f"{path} answers to {allowed} only", ("Allow", allowed))
