"""A request as the handler's process gets it, and what of it becomes an argument of `run`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from inspect import Parameter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from modelserver.handlers.worker.script import HEADERS

if TYPE_CHECKING:
    from modelserver.handlers.frames import Buffer, Frame
    from modelserver.handlers.worker.script import Script


class Refused(Exception):
    """A request that `run` is not called with; the sentences are those of Azure ML's server, where it has one."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request; of the target, `path` and `query` are still encoded. Header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Buffer

    @classmethod
    def of(cls, frame: Frame) -> Request:
        """The request that the server passes on in `frame`."""
        head = frame.head
        path, _, query = head["target"].partition("?")  # text as WSGI has it: each character stands for a byte
        # A name with an underscore could pass for one with a dash, which proxies may have checked.
        headers = {name: value for name, value in head["headers"] if "_" not in name}
        if "content-length" in headers:
            headers["content-length"] = str(len(frame))  # it may have come compressed
        return cls(head["method"], path, query, headers, frame.buffers[0])

    def titled_headers(self) -> dict[str, str]:
        """The headers with names like Content-Type."""
        return {name.title(): value for name, value in self.headers.items()}

    def is_json(self) -> bool:
        """Whether the body is declared to be JSON."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def arguments(script: Script, request: Request) -> dict[str, Any]:
    """What to call `run` with, by name. Raises Refused."""
    if script.typed:
        given = _from_query(request) if request.method == "GET" else _from_json(request)
        found = _complete(given, script)
    else:
        found = {next(iter(script.parameters)): _text(request)}
    if script.takes_headers:
        found[HEADERS] = request.titled_headers()
    return found


def _text(request: Request) -> str:
    if request.method == "GET":
        return json.dumps(_from_query(request))
    try:
        return str(request.body, "utf-8")
    except UnicodeDecodeError as error:
        raise Refused(400, f"Input cannot be decoded as UTF-8: {error}") from None


def _from_query(request: Request) -> dict[str, Any]:
    query = request.query.encode("latin-1").decode(errors="replace")
    values = parse_qs(query, keep_blank_values=True)
    return {name: _json(found[0]) if len(found) == 1 else [*map(_json, found)] for name, found in values.items()}


def _json(text: str) -> Any:
    """What `text` is as JSON, or else itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _from_json(request: Request) -> dict[str, Any]:
    if not request.is_json():
        raise Refused(415, "Expects Content-Type to be application/json")
    if not request.body:
        raise Refused(400, "POST body is empty. Expecting a JSON dictionary.")
    try:
        found = json.loads(bytes(request.body))
    except UnicodeDecodeError as error:
        raise Refused(400, f"Input cannot be decoded as UTF-8: {error}") from None
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"POST body could not be decoded as JSON: {error}") from None
    if not isinstance(found, dict):
        raise Refused(400, "POST body should be a JSON dictionary.")
    return found


def _complete(given: dict[str, Any], script: Script) -> dict[str, Any]:
    """Of `given`, what `run` takes, with defaults for the rest: decorators want to see each. Raises Refused."""
    found = {name: given.get(name, parameter.default) for name, parameter in script.parameters.items()}
    for name, value in found.items():
        if value is Parameter.empty:
            raise Refused(400, f"A value is not provided for the '{name}' parameter.")
    return found
