"""The instance metadata service of a virtual machine, which gives a token to every process that asks for one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.support.azure.asked import Answer
from tests.support.azure.tokens import CLIENT

if TYPE_CHECKING:
    from tests.support.azure.asked import Asked
    from tests.support.azure.tokens import Entra

IMDS = "169.254.169.254"
TOKEN = "/metadata/identity/oauth2/token"


def answered(asked: Asked, entra: Entra) -> Answer:
    """As the real one answers; anything but a token would be asked for by mistake as well, and is not there."""
    if asked.headers.get("metadata", "").lower() != "true":
        return _error(400, "invalid_request", "Required metadata header not specified")
    if asked.method != "GET" or asked.path != TOKEN:
        return _error(404, "not_found", "there is no such resource")
    if missing := [name for name in ("api-version", "resource") if name not in asked.query]:
        return _error(400, "invalid_request", f"Required query variable '{missing[0]}' is missing")
    now, resource = int(time.time()), asked.query["resource"]
    lifetimes = {"expires_in": entra.lifetime_s, "expires_on": now + entra.lifetime_s, "not_before": now}
    token = {"access_token": entra.token(resource, CLIENT), "client_id": CLIENT, "resource": resource}
    return Answer(200, {**token, "token_type": "Bearer", **{name: str(at) for name, at in lifetimes.items()}})


def _error(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": code, "error_description": message})
