"""One line of the request log: what is kept of a request that is over, and the JSON that it becomes later.

What is kept is cut and copied at once: while it waits to be written it must hold neither a large body nor the
results of the others in its batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from modelserver.http.message import Response
from modelserver.models.datatypes import DATATYPES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelserver.models.datatypes import Array
    from modelserver.observers.finished import Finished

    Member = dict[str, Any]

JSON = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE
NAMES = {datatype.dtype: datatype.name for datatype in DATATYPES}
# The most characters that a number is in JSON, with its comma, by its bytes in memory.
WIDTHS = {1: 6, 2: 12, 4: 16, 8: 25}
OVERHEAD = 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one request; `size` is about the memory that it holds."""

    facts: Member
    size: int

    def line(self) -> bytes:
        """It as a line of JSON, in which NaN and the infinities are null."""
        return orjson.dumps(self.facts, _plain, JSON)


def entry(request: Finished, limit: int) -> Entry:
    """What to write of `request`: of its inputs about `limit` bytes at most, and as many of its outputs."""
    facts, size = _facts(request), OVERHEAD
    if request.inference:
        facts["inputs"], used = _tensors(request.inference.feed.items(), limit)
        size += used
        if request.values is not None:
            facts["outputs"], used = _tensors(zip(request.inference.outputs, request.values, strict=True), limit)
            size += used
        return Entry(facts, size)
    if asked := request.over_http:
        facts["request"] = _body(asked.body, limit)
        size += min(len(asked.body), limit)
    if isinstance(request.answer, Response) and not request.error:
        facts["response"] = _body(request.answer.body, limit)
        size += min(len(request.answer.body), limit)
    return Entry(facts, size)


def _facts(request: Finished) -> Member:
    facts: Member = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        **request.ids(),
        "protocol": request.protocol,
        "status": request.status,
        "seconds": round(request.seconds, 6),
    }
    if request.model:
        facts |= {"model": request.model.name, "version": request.model.version}
    if request.error:
        facts["error"] = str(request.error)
    return facts


def _tensors(values: Iterable[tuple[str, object]], limit: int) -> tuple[list[Member], int]:
    """The values as the Open Inference Protocol writes tensors, and their size. From where `limit` is reached on
    they are `truncated`.
    """
    members, left = [], limit
    for name, value in values:
        member, used = _array(value, left) if isinstance(value, np.ndarray) else _sequence(value, left)
        members.append({"name": name, **member})
        left -= used
    return members, limit - left


def _array(array: Array, left: int) -> tuple[Member, int]:
    data, used = _texts(array, left) if array.dtype.kind == "O" else _numbers(array, left)
    member = {"datatype": NAMES[array.dtype], "shape": list(array.shape), "data": data}
    return _marked(member, len(data) < array.size), used


def _numbers(array: Array, left: int) -> tuple[Array, int]:
    width = WIDTHS[array.itemsize]
    flat = array.flat[: left // width]
    # ONNX Runtime gives int64 as C's long long, which orjson does not know; the view is the same by name.
    return flat.view(flat.dtype.str), flat.size * width


def _texts(array: Array, left: int) -> tuple[list[str], int]:
    """As many of the first texts as there is room for."""
    found: list[str] = []
    used = 0
    for text in array.flat:
        used += len(text) + 3
        if used > left:
            break
        found.append(text)
    return found, min(used, left)


def _sequence(value: Any, left: int) -> tuple[Member, int]:
    """A sequence or map of ONNX-ML, which has neither datatype nor shape."""
    rows = value if isinstance(value, list) else [value]
    width = 32 * max(1, len(rows[0]) if rows and hasattr(rows[0], "__len__") else 1)
    kept = rows[: left // width]
    return _marked({"data": kept}, len(kept) < len(rows)), len(kept) * width


def _body(body: bytes | memoryview, limit: int) -> Member:
    return _marked({"body": bytes(body[:limit]).decode(errors="replace")}, len(body) > limit)


def _marked(member: Member, is_cut: bool) -> Member:
    return {**member, "truncated": True} if is_cut else member


def _plain(value: Any) -> object:
    """What orjson does not know: an array in a sequence."""
    return value.tolist() if isinstance(value, np.ndarray) else str(value)
