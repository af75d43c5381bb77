"""A member's token is waited for as long as it takes, and no longer."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from modelfleet.core.errors import Unavailable
from modelfleet.core.inventory import access
from modelfleet.kube import access as granting
from modelfleet.kube.client import KubeClient
from tests.unit.inventory.descriptions import TOKEN, b64
from tests.unit.kube.faulty import Answer, faulty, says, streams

ACCOUNT = says(200, {"metadata": {"uid": "now"}})
EMPTY = says(200, {"metadata": {"resourceVersion": "1"}, "items": []})


def written(uid: str, kind: str = "MODIFIED") -> dict[str, Any]:
    """The event with which the token of an account appears."""
    secret = access.token()
    secret["metadata"]["annotations"]["kubernetes.io/service-account.uid"] = uid
    return {"type": kind, "object": {**secret, "data": {"token": b64(TOKEN)}}}


async def granted(*watched: Answer) -> tuple[str, list[str]]:
    """What a member gives whose Secret is seen so."""
    applied = [ACCOUNT] * (2 + len(access.grants([])))
    async with faulty(*applied, EMPTY, EMPTY, ACCOUNT, *watched) as server, KubeClient(server.url) as client:
        return await granting.grant(client, [])


async def test_a_token_may_come_late() -> None:
    empty = {"type": "ADDED", "object": access.token()}
    before = written("before")
    assert await granted(streams(empty, before, written("now"), then="hang")) == (TOKEN, [])


async def test_a_stream_that_ends_before_is_asked_for_again() -> None:
    assert await granted(streams(), streams(written("now"))) == (TOKEN, [])


async def test_a_secret_that_is_tidied_up_with_an_account_before_is_made_again() -> None:
    async def made(request: web.BaseRequest) -> web.StreamResponse:
        return await says(200 if request.method == "PATCH" else 500)(request)

    gone = written("before", "DELETED")
    assert await granted(streams(gone), made, streams(written("now"))) == (TOKEN, [])


async def test_a_member_that_writes_no_token_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(granting, "TOKEN_S", 0.2)
    with pytest.raises(Unavailable, match="no token into the Secret modelfleet-system/modelfleet-hub-token"):
        await granted(streams(then="hang"))
