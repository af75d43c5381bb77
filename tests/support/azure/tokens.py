"""Microsoft Entra ID: tokens for service principals and for the service accounts that are federated with one."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any

from tests.support.azure.asked import Answer, Asked

LOGIN = "login.microsoftonline.com"
TENANT = "11111111-1111-1111-1111-111111111111"
CLIENT = "22222222-2222-2222-2222-222222222222"


@dataclass
class Entra:
    """An authority that gives tokens to who presents one of the secrets, or one of the federated tokens, or the
    token of a service account of Kubernetes whose subject is federated.
    """

    accepts: set[str] = field(default_factory=set)
    federated: set[str] = field(default_factory=set)
    gives: dict[str, str] = field(default_factory=dict)
    """Tokens for services that look closer than Azurite does, by their audience."""
    lifetime_s: int = 3600
    seen: set[str] = field(default_factory=set)
    """All that was shown and given here; each of it opens something."""

    def answer(self, asked: Asked) -> Answer:
        """Where tokens are given, or a token for the scope that was asked for."""
        if asked.method == "GET":
            return Answer(200, _configuration(asked.path.split("/")[1]))
        form = asked.form
        shown = {form[name] for name in ("client_secret", "client_assertion") if name in form}
        self.seen |= shown
        if not shown & self.accepts and _subject(form.get("client_assertion", "")) not in self.federated:
            said = "AADSTS7000215: Invalid client secret provided."
            return Answer(401, {"error": "invalid_client", "error_description": said, "error_codes": [7000215]})
        token = self.token(form["scope"].removesuffix("/.default"), form["client_id"])
        lifetimes = {"expires_in": self.lifetime_s, "ext_expires_in": self.lifetime_s}
        return Answer(200, {"token_type": "Bearer", "access_token": token, **lifetimes})

    def token(self, aud: str, client: str) -> str:
        """A token for a service."""
        token = self.gives.get(aud) or _token(aud, client, self.lifetime_s)
        self.seen.add(token)
        return token


def audience(authorization: str) -> str:
    """What the token in the header is for; nothing where it has expired or is none."""
    claims = _claims(authorization)
    return str(claims["aud"]) if claims.get("exp", 0) > time.time() else ""


def _subject(assertion: str) -> str:
    """Whose token Kubernetes says it is, if it is one for exchange at Entra; its signature is not looked at."""
    claims = _claims(assertion)
    return str(claims.get("sub", "")) if "api://AzureADTokenExchange" in claims.get("aud", []) else ""


def _claims(token: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    except (IndexError, ValueError):
        return {}
    return found


def _configuration(tenant: str) -> dict[str, object]:
    """What MSAL looks at before it asks for its first token, and (the metadata) when it did not get one."""
    return {
        "metadata": [{"preferred_network": LOGIN, "preferred_cache": LOGIN, "aliases": [LOGIN]}],
        "issuer": f"https://{LOGIN}/{tenant}/v2.0",
        "authorization_endpoint": f"https://{LOGIN}/{tenant}/oauth2/v2.0/authorize",
        "token_endpoint": f"https://{LOGIN}/{tenant}/oauth2/v2.0/token",
    }


def _token(aud: str, client: str, lifetime_s: int) -> str:
    """What Azurite takes as well: it looks at times, issuer and audience, and at no signature."""
    now = int(time.time())
    claims = {
        "aud": aud,
        "appid": client,
        "iss": f"https://sts.windows.net/{TENANT}/",
        "iat": now - 10,
        "nbf": now - 10,
        "exp": now + lifetime_s,
        "ver": "1.0",
    }
    return f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{_part(claims)}.c2lnbmF0dXJl"


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
