"""What everybody may ask a server that asks for keys, and how it refuses the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelserver.app import App
from modelserver.auth.authenticator import Authenticator
from modelserver.auth.keys import ApiKeys
from modelserver.auth.open_paths import is_open
from modelserver.http.message import Request, Response
from modelserver.models.repository import Models
from modelserver.observe.metrics import Metrics
from modelserver.scheduling.scheduler import Scheduler
from modelserver.service import InferenceService

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("GET", "/healthcheck"),
        ("HEAD", "/healthcheck"),
        ("GET", "/metrics?name[]=process_cpu"),
        ("GET", "/v2/health/live"),
        ("GET", "/v2/health/ready"),
        ("GET", "/v2/models/m/ready"),
        ("GET", "/v2/models/m/versions/1/ready"),
        ("OPTIONS", "/score"),
        ("GET", "/docs"),
    ],
)
def test_probes_scrapers_and_browsers_need_no_key(method: str, target: str) -> None:
    assert is_open(method, target)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/score"),
        ("GET", "/score"),
        ("GET", "/v2"),
        ("GET", "/v2/models/ready"),
        ("GET", "/v2/models/m"),
        ("GET", "/v2/models/m/versions/ready"),
        ("GET", "/v2/models/m/stats?/ready"),
        ("GET", "/v2/models/a/b/ready"),
        ("POST", "/v2/models/m/infer"),
        ("POST", "/v2/repository/models/m/load"),
        ("POST", "/metrics"),
        ("POST", "/v2/models/m/ready"),
        ("GET", "/metrics/"),
        ("GET", "//metrics"),
        ("GET", "/%6detrics"),
        ("GET", "http://here/metrics"),
        ("GET", "/docs/"),
        ("GET", "/openapi.json"),
        ("DELETE", "/"),
        ("get", "/"),
    ],
)
def test_everything_else_does(method: str, target: str) -> None:
    assert not is_open(method, target)


@pytest.fixture
async def app(tmp_path: Path) -> App:
    """Asks for a key."""
    (tmp_path / "keys").write_text("right")
    authenticator = Authenticator(ApiKeys(tmp_path / "keys"), None)
    authenticator.start()
    metrics = Metrics()
    service = InferenceService(Models([]), Scheduler(1, metrics, 1), metrics)
    return App(service, 1000, authenticator=authenticator)


def answer(app: App, method: str, target: str, **headers: str) -> Response:
    given = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    found = app.answer(Request(method, target, given))
    assert isinstance(found, Response)
    return found


@pytest.mark.parametrize(("target", "member"), [("/score", b'{"message"'), ("/v2/models/m/infer", b'{"error"')])
async def test_the_refusal_is_in_the_protocols_own_shape(app: App, target: str, member: bytes) -> None:
    refusal = answer(app, "POST", target)
    assert refusal.status == 401
    assert refusal.body.startswith(member)
    assert refusal.headers == (("WWW-Authenticate", 'Bearer realm="modelserver"'),)


async def test_a_wrong_key_is_told_from_none(app: App) -> None:
    refusal = answer(app, "GET", "/v2", api_key="wrong")
    assert refusal.headers == (("WWW-Authenticate", 'Bearer realm="modelserver", error="invalid_token"'),)


async def test_who_has_no_key_does_not_learn_what_there_is(app: App) -> None:
    assert answer(app, "GET", "/nothing").status == 401
    assert answer(app, "GET", "/nothing", api_key="right").status == 404


async def test_with_a_key_requests_are_answered(app: App) -> None:
    assert answer(app, "GET", "/v2", authorization="Bearer right").status == 200


async def test_open_paths_are_answered_without(app: App) -> None:
    assert answer(app, "GET", "/v2/health/live").status == 200
    assert answer(app, "GET", "/metrics").status == 200
