"""Requests that are over, as observers are shown them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelserver.http.message import Request, Response
from modelserver.observers.finished import Finished
from modelserver.protocols.inference import Inference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelserver.errors import Error
    from modelserver.models.model import Model
    from modelserver.observers.finished import Run


@dataclass(frozen=True)
class PastRun:
    """A run of a model that is over."""

    started: float
    seconds: float
    rows: int


def request(headers: Mapping[str, str] | None = None, target: str = "/score", body: bytes = b"{}") -> Request:
    """A POST with these headers."""
    given = {name.encode(): value.encode() for name, value in (headers or {}).items()}
    return Request("POST", target, {b"host": b"here", **given}, body)


def finished(
    asked: Request | None = None,
    model: Model | None = None,
    *,
    feed: dict[str, Any] | None = None,
    outputs: Sequence[str] = (),
    values: Sequence[object] | None = None,
    error: Error | None = None,
    answer: object = None,
    run: Run | None = None,
    seconds: float = 0.25,
    protocol: str = "score",
) -> Finished:
    """A request that took `seconds` until now; with a `feed` it was understood."""
    return Finished(
        protocol=protocol,
        asked=asked or request(),
        model=model,
        inference=None if feed is None else Inference(feed, outputs, lambda _: Response(200, b"")),
        values=values,
        error=error,
        status=error.status if error else 200,
        answer=Response(200, b"{}") if answer is None else answer,
        started=time.perf_counter() - seconds,
        seconds=seconds,
        run=run,
    )
