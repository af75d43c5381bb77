"""The ids that Azure ML's clients look for; other cases are compared with Azure ML's server in tests/clients."""

from __future__ import annotations

import pytest

from modelserver.handlers.headers import IdTooLong, Origins, ids
from modelserver.http.message import Request


def asked(**headers: str) -> Request:
    return Request(
        "POST", "/score", {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    )


def test_without_any_both_ids_are_the_servers() -> None:
    request = asked()
    assert ids(request) == (("x-ms-request-id", request.id),)


def test_the_clients_id_comes_back() -> None:
    request = asked(x_request_id="A", x_ms_client_request_id="C")
    assert ids(request) == (("x-ms-request-id", "C"), ("x-ms-client-request-id", "C"))


def test_the_former_name_of_the_clients_id_is_understood() -> None:
    assert ids(asked(x_ms_request_id="B")) == (("x-ms-request-id", "B"), ("x-ms-client-request-id", "B"))


@pytest.mark.parametrize("name", ["x_request_id", "x_ms_request_id", "x_ms_client_request_id"])
def test_an_id_has_100_characters_at_most(name: str) -> None:
    assert ids(asked(**{name: "y" * 100}))
    with pytest.raises(IdTooLong, match=name.replace("_", "-")):
        ids(asked(**{name: "y" * 101}))


def test_only_pages_that_are_listed_may_read_answers() -> None:
    origins = Origins("https://a.example, https://b.example")
    assert origins.headers({b"origin": b"https://b.example"}) == (
        ("Access-Control-Allow-Origin", "https://b.example"),
        ("Vary", "Origin"),
    )
    assert origins.headers({b"origin": b"https://c.example"}) == ()
    assert origins.headers({}) == ()


def test_a_star_lets_every_page_read_but_no_list_none() -> None:
    assert Origins("*").headers({b"origin": b"https://c.example"})
    assert Origins("").headers({b"origin": b"https://c.example"}) == ()
