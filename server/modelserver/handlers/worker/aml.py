"""What Azure ML's own modules give to scripts: `rawhttp`, `AMLRequest` and `AMLResponse`. See `imports`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

Run = TypeVar("Run", bound="Callable[..., Any]")


class AMLRequest(Request):
    """The request that a `run` with `rawhttp` is called with: Flask's."""


class AMLResponse(Response):
    """A response with any status, headers and body. With `json_str` the message is written as JSON.

    Whether `run` is to count as failed is said by `run_function_failed`, or by a status of 500.
    """

    def __init__(
        self,
        message: Any,
        status_code: int | str,
        response_headers: dict[str, str] | None = None,
        json_str: bool = False,
        run_function_failed: bool = False,
    ) -> None:
        kind = "application/json" if json_str else None
        super().__init__(json.dumps(message) if json_str else message, status_code, mimetype=kind)
        self.headers["x-ms-run-function-failed"] = str(run_function_failed or self.status_code == 500)
        for name, value in (response_headers or {}).items():
            if name.lower() == "content-type":
                self.headers[name] = value
            else:
                self.headers.add(name, value)


def rawhttp(run: Run) -> Run:
    """Has `run` called with the whole request."""
    run.rawhttp = True  # type: ignore[attr-defined]
    return run
