"""JSON Web Tokens: signed with RS256 by the issuer, for this audience, and not expired."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jwt
from jwt.types import Options

from modelserver.auth.key_set import KeySet, UnknownKey
from modelserver.errors import Unauthorized

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelserver.settings.settings import JwtSettings

LEEWAY_S = 30  # clocks differ
CHECKS: Options = {"require": ["exp", "iss", "aud"]}
SENTENCES: dict[type[jwt.PyJWTError], str] = {
    jwt.ExpiredSignatureError: "the token has expired; get a new one",
    jwt.ImmatureSignatureError: "the token is not valid yet",
    jwt.InvalidAudienceError: "the token is not for the audience {audience}",
    jwt.InvalidIssuerError: "the token is not of the issuer {issuer}",
    jwt.InvalidSignatureError: "the token is not signed with a key of the issuer {issuer}",
    jwt.MissingRequiredClaimError: "the token lacks one of the claims exp, iss and aud",
    UnknownKey: "the token is not signed with a key of the issuer {issuer}",
}


class Tokens:
    """Judges tokens as `settings` say."""

    def __init__(self, settings: JwtSettings) -> None:
        self.issuer = settings.issuer
        self._audience = settings.audience
        self._keys = KeySet(settings.issuer, settings.keys)

    def start(self, changed: Callable[[], None]) -> None:
        """Keeps the keys that tokens are signed with up to date; calls `changed` when they are others."""
        self._keys.start(changed)

    def valid_until(self, token: bytes) -> float:
        """The end of `token`, in seconds since the epoch. Raises Unauthorized, or Unavailable as `KeySet.find`."""
        try:
            key = self._keys.find(jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self._audience,
                issuer=self.issuer,
                leeway=LEEWAY_S,
                options=CHECKS,
            )
        except jwt.PyJWTError as error:
            raise Unauthorized(self._sentence(error), was_presented=True) from None
        return float(claims["exp"]) + LEEWAY_S

    def _sentence(self, error: jwt.PyJWTError) -> str:
        for kind, sentence in SENTENCES.items():
            if isinstance(error, kind):
                return sentence.format(issuer=self.issuer, audience=self._audience)
        return "this is not a token that can be verified"
