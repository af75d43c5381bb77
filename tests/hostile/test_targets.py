"""Methods, paths and names that nobody means: 404 or 405 with a sentence, and nothing of them gets anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.hostile.conftest import GOOD
from tests.hostile.wire import Answer, request, told, wired

if TYPE_CHECKING:
    from tests.support.server_process import ServerProcess

PATHS = [
    "/..",
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/v2/models/../../../etc/passwd",
    "/v2/models/..%2f..%2f..%2fetc%2fpasswd",
    "/v2/models/%2e%2e/ready",
    "/v2/models/%2Fetc%2Fpasswd/versions/1",
    "/v2/models/echo/versions/..%2f1",
    "/v2/models/echo%00",
    "/v2/models/%00/ready",
    "/v2/models/%ff%fe",
    "/v2/models/%zz",
    "/v2/models/%",
    "/v2/models/%25%30%30",
    "/v2/models/echo%0d%0aSet-Cookie:%20a=b",
    "/v2/models/" + quote("模型 😀 \u202e"),
    "/v2/models/" + "a" * 20_000,
    "/v2/models/echo;a=b",
    "/v2/models//infer",
    "/v2//models/echo",
    "//v2/models/echo",
    "/V2/MODELS/ECHO",
    "/v2/models/echo/infer/",
    "/%0d%0aSet-Cookie:%20a=b",
    "/score/../v2",
    "/static/../../etc/passwd",
    "/docs/../../../etc/passwd",
    "http://x/nothing",
    "http://[::1",
    "*",
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:40])
def test_a_path_that_leads_nowhere_is_not_found(server: ServerProcess, path: str) -> None:
    for method, statuses in (("GET", (404,)), ("POST", (404, 405))):
        answer = told(server, request(method=method, path=path))
        assert answer
        assert answer.status in statuses
        assert answer.json()["error"]
        assert not {"set-cookie", "x"} & set(answer.headers)
        assert b"root:" not in answer.body


@pytest.mark.parametrize("path", ["/v2/models/modèle", "/score?model_name=modèle", "x", "?", "/a\x7fb"])
def test_a_target_that_is_no_target_is_refused(server: ServerProcess, path: str) -> None:
    assert refusal(server, request(method="GET", path=path)).status in (400, 404)


@pytest.mark.parametrize(
    "query", ["%ff", "%00", "%0d%0aX:1", "..%2fecho", "a" * 20_000, quote("模型"), "%", "a&&&=&a"]
)
def test_score_refuses_a_name_that_no_model_has(server: ServerProcess, query: str) -> None:
    answer = told(server, request(GOOD, path=f"/score?model_name={query}"))
    assert answer
    assert (answer.status, bool(answer.json()["message"])) == (404, True)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "PURGE"])
@pytest.mark.parametrize("path", ["/v2", "/v2/models/echo/infer", "/v2/health/ready", "/metrics", "/"])
def test_a_method_that_a_path_does_not_have_is_refused(server: ServerProcess, method: str, path: str) -> None:
    answer = refusal(server, request(b"secret", "X-Secret: secret", method=method, path=path))
    assert answer.status == 405
    assert answer.headers["allow"]
    assert b"secret" not in answer.body


def test_score_refuses_a_method_in_its_own_words(server: ServerProcess) -> None:
    answer = told(server, request(method="DELETE", path="/score"))
    assert answer
    assert (answer.status, bool(answer.json()["message"])) == (405, True)


@pytest.mark.parametrize("method", ["BREW", "FOO", "X" * 1000, "GE T", "GET\0"])
def test_an_unknown_method_is_refused(server: ServerProcess, method: str) -> None:
    assert refusal(server, request(method=method, path="/v2")).status in (400, 405, 501)


def test_the_server_is_no_proxy(server: ServerProcess) -> None:
    for data in (
        request(method="CONNECT", path="127.0.0.1:22"),
        request(method="GET", path="http://127.0.0.1:22/"),
        request(method="GET", path="ftp://127.0.0.1/"),
    ):
        assert refusal(server, data).status in (400, 404, 405) or b"Healthy" in refusal(server, data).body


def test_head_is_answered_without_a_body_and_the_next_request_as_usual(server: ServerProcess) -> None:
    with wired(server) as wire:
        wire.send(request(method="HEAD", path="/v2") + request(method="HEAD", path="/nothing") + request(GOOD))
        assert [answer and answer.status for answer in (wire.answer(head=True), wire.answer(head=True))] == [
            200,
            404,
        ]
        answer = wire.answer()
        assert answer
        assert answer.json()["outputs"]


def test_options_are_answered_without_running_anything(server: ServerProcess) -> None:
    for path in ("*", "/v2/models/echo/infer", "/score", "/nothing"):
        answer = told(server, request(GOOD, method="OPTIONS", path=path))
        assert answer
        assert answer.status in (200, 204, 404, 405)
        assert b"outputs" not in answer.body


def test_an_upgrade_is_not_made(server: ServerProcess) -> None:
    for protocol in ("h2c", "websocket"):
        with wired(server) as wire:
            wire.send(request(b"", "Connection: Upgrade", f"Upgrade: {protocol}", method="GET", path="/v2"))
            answer = wire.answer()
            assert answer
            assert answer.status in (200, 400)


def refusal(server: ServerProcess, data: bytes) -> Answer:
    """The answer to `data`; fails unless it is JSON or plain text."""
    answer = told(server, data)
    assert answer
    assert answer.headers["content-type"].split(";")[0] in ("application/json", "text/plain", "text/html")
    return answer
