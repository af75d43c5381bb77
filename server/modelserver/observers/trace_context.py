"""W3C trace context: which trace a request belongs to, as the caller says in `traceparent` and `tracestate`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
SAMPLED = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A caller's span, whose child is what it called here. `is_sampled` is true where the caller records it."""

    trace_id: int
    span_id: int
    is_sampled: bool
    state: str

    @property
    def hex_trace_id(self) -> str:
        """The trace's id as people search for it."""
        return f"{self.trace_id:032x}"


def trace_context(headers: Mapping[bytes, bytes]) -> TraceContext | None:
    """What `headers` (names in lower case) say; None where they say nothing, or nothing valid."""
    header = headers.get(b"traceparent")
    found = TRACEPARENT.fullmatch(header) if header else None
    if not found or found[1] == b"ff" or (found[1] == b"00" and found[5]):
        return None
    trace_id, span_id, flags = (int(found[group], 16) for group in (2, 3, 4))
    if not trace_id or not span_id:
        return None
    state = headers.get(b"tracestate", b"").decode("latin-1")
    return TraceContext(trace_id, span_id, bool(flags & SAMPLED), state)
