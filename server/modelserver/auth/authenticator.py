"""Whether a request may be answered, by the key or token in its headers.

What was found valid once is remembered by the whole header, so that each further request costs one look-up. The
time that takes tells nothing: only a header with the same hash is compared at all, and hashes hold a secret.
"""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING

from modelserver.errors import Unauthorized

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelserver.auth.keys import ApiKeys
    from modelserver.auth.tokens import Tokens
    from modelserver.settings.settings import Settings

AUTHORIZATION = b"authorization"
HEADERS = (AUTHORIZATION, b"api-key", b"x-api-key")
REMEMBERED = 10_000


class Authenticator:
    """Accepts requests with one of `keys`, or with a token that `tokens` finds valid; either may be None."""

    def __init__(self, keys: ApiKeys | None, tokens: Tokens | None) -> None:
        self._keys = keys
        self._tokens = tokens
        self._accepted: dict[bytes, dict[bytes, float]] = {name: {} for name in HEADERS}  # until when

    def start(self) -> None:
        """Reads keys now, and again whenever they change."""
        for source in (self._keys, self._tokens):
            if source:
                source.start(self._forget)

    def check(self, headers: Mapping[bytes, bytes]) -> None:
        """Returns if a request with `headers` may be answered (or gRPC's metadata; names are in lower case).

        Raises Unauthorized, or Unavailable as long as the keys that tokens are signed with are not known.
        """
        now = time.time()
        for name, accepted in self._accepted.items():
            header = headers.get(name)
            if header is not None and accepted.get(header, 0.0) > now:
                return
        self._examine(headers)

    def _examine(self, headers: Mapping[bytes, bytes]) -> None:
        refusal = Unauthorized(self._wanted())
        for name, accepted in self._accepted.items():
            if name in headers:
                try:
                    until = self._valid_until(name, headers[name])
                except Unauthorized as error:
                    refusal = error
                    continue
                if len(accepted) >= REMEMBERED:
                    accepted.clear()
                accepted[headers[name]] = until
                return
        raise refusal

    def _valid_until(self, name: bytes, header: bytes) -> float:
        scheme, _, rest = header.partition(b" ")
        credential = header if name != AUTHORIZATION else rest.strip() if scheme.lower() == b"bearer" else b""
        if self._keys and credential in self._keys:
            return inf
        if self._tokens and name == AUTHORIZATION and credential:
            return self._tokens.valid_until(credential)
        raise Unauthorized(f"this is not a key that the server takes; {self._wanted()}", was_presented=True)

    def _wanted(self) -> str:
        forms = ["a key, as 'Authorization: Bearer KEY' or 'api-key: KEY'"] if self._keys else []
        forms += [f"a token of {self._tokens.issuer}, as 'Authorization: Bearer TOKEN'"] if self._tokens else []
        return f"send {' or '.join(forms)}"

    def _forget(self) -> None:
        """A key was taken away."""
        for accepted in self._accepted.values():
            accepted.clear()


def authenticator(settings: Settings) -> Authenticator | None:
    """The one that `settings` ask for; None where everybody may ask. Imports no more than that one needs."""
    keys, tokens = None, None
    if settings.api_keys:
        from modelserver.auth.keys import ApiKeys  # noqa: PLC0415

        keys = ApiKeys(settings.api_keys)
    if settings.jwt:
        from modelserver.auth.tokens import Tokens  # noqa: PLC0415  # 0.1 s and 20 MB

        tokens = Tokens(settings.jwt)
    return Authenticator(keys, tokens) if keys or tokens else None
