"""What `run` returned as a response, byte for byte as Azure ML's server writes it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelserver.handlers.frames import Frame

if TYPE_CHECKING:
    from collections.abc import Iterable

JSON = "application/json"
FAILED = "x-ms-run-function-failed"
TAKEN = "x-ms-run-fn-exec-ms"
SCRIPT_FAILED = "An unexpected error occurred in scoring script. Check the logs for more info."
INTERNAL = "An unexpected internal error occurred. Check the logs for more info."


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; of the headers, Content-Type comes first and Content-Length is left to the server."""

    status: int
    content_type: str
    headers: list[tuple[str, str]]
    body: bytes

    def frame(self) -> Frame:
        """The answer as the server gets it. Raises ValueError where a header cannot be sent."""
        for name, value in self.headers:
            f"{name}{value}".encode("latin-1")
        head = {"status": self.status, "content_type": self.content_type, "headers": self.headers}
        return Frame(head, [self.body])


def message(status: int, sentence: str, *, failed: bool = False) -> Answer:
    """An error in Azure ML's form; `failed` is whether `run` was called and is to blame."""
    return Answer(status, JSON, [(FAILED, str(failed))], json.dumps({"message": sentence}).encode())


def empty() -> Answer:
    """What OPTIONS is answered with."""
    return Answer(200, "text/html; charset=utf-8", [(FAILED, "False")], b"")


def returned(value: Any, seconds: float) -> Answer:
    """The response for what `run` returned after so many seconds. Raises what `json.dumps` does."""
    taken = (TAKEN, f"{seconds * 1000:.3f}")
    if _is_response(value):
        value.direct_passthrough = False  # a file is read here
        return Answer(
            value.status_code, value.content_type or JSON, [*_own(value.headers), taken], value.get_data()
        )
    text = json.dumps(value) if value is not None else "{}"
    return Answer(200, JSON, [(FAILED, "False"), taken], text.encode())


def _is_response(value: Any) -> bool:
    wrappers = sys.modules.get("werkzeug.wrappers")  # a handler that answers with Flask's response has imported it
    return wrappers is not None and isinstance(value, wrappers.Response)


def _own(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    left_out = ("content-type", "content-length", "connection", "transfer-encoding", "date")
    return [(name, value) for name, value in headers if name.lower() not in left_out]
