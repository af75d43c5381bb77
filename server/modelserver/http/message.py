"""A request and a response, and the bytes that a response is on the wire."""

from __future__ import annotations

import http
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

import orjson

_REASONS = {status.value: status.phrase for status in http.HTTPStatus}


@dataclass(slots=True)
class Request:
    """One request. Header names are in lower case; of repeated headers the last one counts."""

    method: str
    target: str
    headers: dict[bytes, bytes]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The decoded path of the target."""
        path = self.target.partition("?")[0]
        if not path.startswith("/"):
            path = urlsplit(self.target).path or "/"  # absolute form, as proxies send it
        return unquote(path) if "%" in path else path

    @property
    def query(self) -> dict[str, str]:
        """The decoded query; of repeated names the first one counts."""
        query = self.target.partition("?")[2]
        return {name: values[0] for name, values in parse_qs(query).items()} if query else {}


@dataclass(frozen=True, slots=True)
class Response:
    """One response; `headers` are those beyond length, type, date and connection."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def error(cls, status: int, sentence: str, *headers: tuple[str, str]) -> Response:
        """A response with `{"error": sentence}`, the form that the Open Inference Protocol prescribes."""
        return cls(status, orjson.dumps({"error": sentence}), headers=headers)


def head(response: Response, date: str, *, close: bool) -> bytes:
    """Status line and headers of `response`, up to and with the empty line."""
    lines = [
        f"HTTP/1.1 {response.status} {_REASONS.get(response.status, '')}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        f"Date: {date}",
        "Connection: close" if close else "Connection: keep-alive",
        *(f"{name}: {value}" for name, value in response.headers),
    ]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")
