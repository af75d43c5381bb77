"""Requests are built, and answers understood, without a server."""

import json
from collections.abc import AsyncIterator

import pytest

from modelfleet.core import errors
from modelfleet.core.errors import Conflict, Expired, Terminal, Unavailable
from modelfleet.kube import wire
from modelfleet.kube.wire import Request

REQUEST = Request("PUT", "/api/v1/pods/x")


def status(code: int, reason: str = "", message: str = "as the server says", **details: object) -> bytes:
    body = {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (400, errors.Invalid),
        (401, errors.Unauthenticated),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (405, errors.Invalid),
        (408, errors.Unavailable),
        (409, errors.Conflict),
        (410, errors.Expired),
        (413, errors.Invalid),
        (415, errors.Invalid),
        (422, errors.Invalid),
        (429, errors.Throttled),
        (500, errors.Unavailable),
        (502, errors.Unavailable),
        (503, errors.Unavailable),
        (504, errors.Unavailable),
    ],
)
def test_each_code_becomes_the_error_that_says_what_to_do(code: int, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^as the server says$") as caught:
        wire.answer(REQUEST, code, {}, status(code))
    assert type(caught.value) is error


@pytest.mark.parametrize("code", [401, 429, 503])
def test_the_pause_that_the_server_asks_for_is_kept(code: int) -> None:
    with pytest.raises(errors.Retryable) as caught:
        wire.answer(REQUEST, code, {"Retry-After": "7"}, status(code))
    assert caught.value.retry_after_s == 7.0


def test_a_pause_given_as_a_date_is_no_pause() -> None:
    with pytest.raises(errors.Throttled) as caught:
        wire.answer(REQUEST, 429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b"")
    assert caught.value.retry_after_s is None


def test_a_terminal_error_carries_the_reason_and_the_sentence_of_the_server() -> None:
    with pytest.raises(Terminal) as caught:
        wire.answer(REQUEST, 422, {}, status(422, "Invalid", "spec.replicas: must not be negative"))
    assert (caught.value.reason, caught.value.message) == ("Invalid", "spec.replicas: must not be negative")


@pytest.mark.parametrize("body", [b"", b"<html>denied</html>", b"[]"])
def test_an_error_page_of_a_proxy_still_names_the_request(body: bytes) -> None:
    with pytest.raises(Terminal, match="PUT /api/v1/pods/x: HTTP 403") as caught:
        wire.answer(REQUEST, 403, {}, body)
    assert caught.value.reason == "Forbidden"


@pytest.mark.parametrize(("code", "body"), [(200, b"<html>sign in</html>"), (200, b""), (200, b"3")])
def test_an_answer_that_is_no_object_is_no_answer(code: int, body: bytes) -> None:
    with pytest.raises(Unavailable, match="not a Kubernetes object"):
        wire.answer(REQUEST, code, {}, body)


def test_a_redirect_is_no_answer() -> None:
    with pytest.raises(Unavailable, match="HTTP 302"):
        wire.answer(REQUEST, 302, {}, b"{}")


def test_a_field_that_another_manager_claims_is_no_matter_of_reading_again() -> None:
    body = status(409, "Conflict", causes=[{"reason": "FieldManagerConflict", "field": ".spec.replicas"}])
    with pytest.raises(Terminal) as caught:
        wire.answer(REQUEST, 409, {}, body)
    assert caught.value.reason == "FieldManagerConflict"


def test_expired_is_a_conflict_so_that_the_rule_for_conflicts_holds() -> None:
    assert issubclass(Expired, Conflict)


def test_items_of_a_list_get_the_type_of_the_list() -> None:
    body = {
        "apiVersion": "apps/v1",
        "kind": "DeploymentList",
        "metadata": {"resourceVersion": "5", "continue": "more"},
        "items": [{"metadata": {"name": "a"}}],
    }
    page = wire.page(REQUEST, body)
    assert page.items == [{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}]
    assert (page.resource_version, page.token) == ("5", "more")


def test_an_empty_list_of_go_is_null() -> None:
    assert wire.page(REQUEST, {"kind": "PodList", "metadata": {"resourceVersion": "5"}, "items": None}).items == []


def test_an_object_that_is_no_list_is_refused() -> None:
    with pytest.raises(Unavailable, match="not a Kubernetes list"):
        wire.page(REQUEST, {"kind": "Status"})


def test_a_continued_list_does_not_name_a_version() -> None:
    first = wire.listing("/x", label_selector="a=b", limit=2, resource_version="0", token="")
    second = wire.listing("/x", label_selector="a=b", limit=2, resource_version="0", token="t")
    assert first.params == {"labelSelector": "a=b", "limit": "2", "resourceVersion": "0"}
    assert second.params == {"labelSelector": "a=b", "limit": "2", "continue": "t"}


def test_an_event_of_a_watch_is_its_type_and_object() -> None:
    assert wire.event(REQUEST, b'{"type":"ADDED","object":{"kind":"Pod"}}') == ("ADDED", {"kind": "Pod"})


@pytest.mark.parametrize("line", [b"", b"null", b"<html>", b'{"type":"ADDED"}', b'{"object":{}}', b'{"type":"A'])
def test_a_line_that_is_no_event_breaks_the_watch(line: bytes) -> None:
    with pytest.raises(Unavailable, match="not a Kubernetes watch"):
        wire.event(REQUEST, line)


def test_an_error_event_raises_what_it_reports() -> None:
    with pytest.raises(Expired, match="too old"):
        wire.event(REQUEST, b'{"type":"ERROR","object":{"code":410,"message":"too old"}}')


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_lines_do_not_depend_on_how_the_stream_is_cut(size: int) -> None:
    stream = b"one\ntwo\n\nthree\n"

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(stream), size):
            yield stream[start : start + size]

    assert [line async for line in wire.lines(chunks())] == [b"one", b"two", b"", b"three"]
