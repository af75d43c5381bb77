"""Asks a server golden samples before it is ready: a model that answers wrongly must not answer users."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from textwrap import shorten
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson

from modelserver import termination
from modelserver.comparison import compare
from modelserver.errors import SmokeFailed
from modelserver.http.message import Request, Response
from modelserver.smoke.samples import invalid, read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from modelserver.app import App
    from modelserver.models.repository import Models
    from modelserver.smoke.samples import Sample

log = logging.getLogger(__name__)

# For all samples together; the request timeout is for each.
DEADLINE_S = 300.0
MAX_SENTENCE = 400
MAX_ANSWER = 200
MAX_SUMMARY = termination.MAX_MESSAGE - 50  # it may end with how many more there are
PATHS = "/v2/models/NAME/infer or /score"


class Smoke:
    """The samples in `folder`, for `app` to answer. Raises SmokeInvalid, also for those that no endpoint takes."""

    def __init__(self, folder: Path, app: App, models: Models, deadline_s: float = DEADLINE_S) -> None:
        self._app = app
        self._deadline_s = deadline_s
        self._names = list(dict.fromkeys(entry.name for entry in models.entries()))
        self._samples = [self._addressed(sample) for sample in read(folder)]

    async def check(self) -> None:
        """Returns when every sample was answered as it should be. Raises SmokeFailed."""
        deadline = asyncio.get_running_loop().time() + self._deadline_s
        faults = [fault for sample in self._samples if (fault := await self._asked(sample, deadline))]
        for fault in faults:
            log.error("%s", fault)
        if faults:
            raise SmokeFailed(_summary(faults, len(self._samples)))
        log.info("golden samples agree", extra={"samples": len(self._samples)})

    def _addressed(self, sample: Sample) -> Sample:
        path = sample.path or self._only_path(sample)
        if not self._app.takes("POST", path):
            raise invalid(sample.title, f"nothing answers POST {path}; its path has to be {PATHS}")
        return replace(sample, path=path)

    def _only_path(self, sample: Sample) -> str:
        if len(self._names) == 1:
            return f"/v2/models/{quote(self._names[0])}/infer"
        found = f"there is {', '.join(self._names) or 'no model'}"
        raise invalid(sample.title, f"path is missing; write {PATHS} ({found})")

    async def _asked(self, sample: Sample, deadline: float) -> str:
        """The sentence that says what is wrong with the answer; empty where nothing is."""
        length = {b"content-length": b"%d" % len(sample.body)}
        answer = self._app.answer(Request("POST", sample.path, {**sample.headers, **length}, sample.body))
        try:
            async with asyncio.timeout_at(deadline):
                fault = _fault(sample, answer if isinstance(answer, Response) else await answer)
        except TimeoutError:
            fault = f"it was not answered within the {self._deadline_s:g} s that all samples have together"
        return shorten(f"{sample.title}: {fault}.", MAX_SENTENCE, placeholder=" …") if fault else ""


def _fault(sample: Sample, response: Response) -> str:
    body = b"".join((response.body, *response.tail))
    text = body[:MAX_ANSWER].decode(errors="replace")
    if response.status != sample.status:
        return f"its status is {response.status} instead of {sample.status}, with {text}"
    try:
        got = orjson.loads(body)
    except orjson.JSONDecodeError:
        return f"its answer is no JSON, but {text}"
    found = compare(sample.response, got, sample.tolerance)
    return "" if found.agrees else f"{found.fault} (tolerance {sample.tolerance:g})"


def _summary(faults: Sequence[str], asked: int) -> str:
    """How many failed and, as far as there is room, each of them."""
    told, left = f"{len(faults)} of {asked} golden samples failed.", len(faults)
    for fault in faults:
        if len(told) + len(fault) > MAX_SUMMARY:
            break
        told, left = f"{told} {fault}", left - 1
    return f"{told} The log tells of {left} more." if left else told
