"""Which endpoint a request means."""

from __future__ import annotations

import pytest

from modelserver.http.message import Request, Response
from modelserver.http.router import REMEMBERED, Parameters, Route, Router


def shown(path: str) -> Route:
    """A route that answers with its own path and the parameters that it got."""

    def endpoint(_: Request, parameters: Parameters) -> Response:
        return Response(200, f"{path} {sorted(parameters.items())}".encode())

    return Route("GET", path, endpoint)


ROUTER = Router([shown("/"), shown("/score"), shown("/models/{name}"), shown("/models/{name}/versions/{version}")])


def ask(target: str, method: str = "GET") -> Response:
    answer = ROUTER.answer(Request(method, target, {}))
    assert isinstance(answer, Response)
    return answer


@pytest.mark.parametrize(
    ("target", "path", "parameters"),
    [
        ("/", "/", {}),
        ("/score", "/score", {}),
        ("/score?model_name=a%2Bb&x=&model_name=c", "/score", {"model_name": "a+b"}),
        ("/models/a%20b", "/models/{name}", {"name": "a b"}),
        ("/models/a%2Fb", "/models/{name}", {"name": "a/b"}),
        ("/models/a?name=b", "/models/{name}", {"name": "a"}),
        ("/models/a/versions/2", "/models/{name}/versions/{version}", {"name": "a", "version": "2"}),
        ("http://host:80/score?a=b", "/score", {"a": "b"}),
        ("http://host", "/", {}),
    ],
)
def test_targets_are_decoded(target: str, path: str, parameters: dict[str, str]) -> None:
    assert ask(target).body.decode() == f"{path} {sorted(parameters.items())}"


@pytest.mark.parametrize("target", ["*", "/models/", "/models/a/b", "/scores", "/Score", "//", "http://["])
def test_what_is_not_there_is_not_found(target: str) -> None:
    assert ask(target).status == 404


def test_a_wrong_method_is_told_the_right_ones() -> None:
    answer = ask("/score", "PUT")
    assert (answer.status, dict(answer.headers)["Allow"]) == (405, "GET, HEAD")


def test_head_is_answered_like_get() -> None:
    assert ask("/score", "HEAD").status == 200


def test_a_client_that_makes_up_targets_does_not_fill_the_memory() -> None:
    for number in range(3 * REMEMBERED):
        ask(f"/score?x={number}")
    assert len(ROUTER._known) <= REMEMBERED
