"""Which trace a request belongs to, as its headers say."""

from __future__ import annotations

import pytest

from modelserver.observers.trace_context import TraceContext, trace_context

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
CONTEXT = TraceContext(int(TRACE, 16), int(SPAN, 16), True, "")


def said(traceparent: str) -> TraceContext | None:
    return trace_context({b"traceparent": traceparent.encode("latin-1")})


def test_a_caller_that_records_its_trace() -> None:
    assert said(f"00-{TRACE}-{SPAN}-01") == CONTEXT
    assert CONTEXT.hex_trace_id == TRACE


def test_a_caller_that_does_not() -> None:
    context = said(f"00-{TRACE}-{SPAN}-00")
    assert context
    assert not context.is_sampled


def test_a_later_version_may_say_more() -> None:
    assert said(f"01-{TRACE}-{SPAN}-01-more") == CONTEXT


def test_the_state_comes_with_it() -> None:
    headers = {b"traceparent": f"00-{TRACE}-{SPAN}-01".encode(), b"tracestate": b"vendor=1"}
    context = trace_context(headers)
    assert context
    assert context.state == "vendor=1"


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "nonsense",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}\u00e9-{SPAN}-01",
        f" 00-{TRACE}-{SPAN}-01",
    ],
)
def test_what_is_not_valid_is_as_if_nothing_was_said(traceparent: str) -> None:
    assert said(traceparent) is None


def test_most_requests_say_nothing() -> None:
    assert trace_context({b"host": b"here"}) is None
