"""An issuer of tokens, like Microsoft Entra ID: signs them, and publishes its keys."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

AUDIENCE = "api://claims"


def new_key() -> RSAPrivateKey:
    """A key that tokens can be signed with."""
    return generate_private_key(65537, 2048)


@dataclass
class Issuer:
    """Signs with the key `signs_with`, which is one of `keys`, by their ids."""

    url: str = "https://login.example/tenant/v2.0"
    keys: dict[str, RSAPrivateKey] = field(default_factory=lambda: {"one": new_key()})
    signs_with: str = "one"

    def token(self, **claims: Any) -> str:
        """A valid token, but for what `claims` change; None leaves a claim out."""
        now = time.time()
        all_claims = {"iss": self.url, "aud": AUDIENCE, "exp": now + 600, "nbf": now - 10, "sub": "app", **claims}
        given = {name: value for name, value in all_claims.items() if value is not None}
        return jwt.encode(given, self.keys[self.signs_with], "RS256", headers={"kid": self.signs_with})

    def key_set(self) -> bytes:
        """The public keys, as a JSON Web Key Set."""
        return json.dumps({"keys": [_public(name, key) for name, key in self.keys.items()]}).encode()


def _public(name: str, key: RSAPrivateKey) -> dict[str, Any]:
    found: dict[str, Any] = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**found, "kid": name, "use": "sig"}
