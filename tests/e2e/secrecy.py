"""What has to stay secret, and how to find it again in whatever it may have been written to."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

# Whatever was planted or not: these are credentials by their shape.
SHAPES = {
    "a signature": re.compile(r"\bsig=[\w%+/-]{16}"),
    "a token": re.compile(r"\beyJ[\w-]{16,}\.eyJ[\w-]{16}"),
    "an account key": re.compile(r"\bAccountKey=[\w+/]{16}"),
}


@dataclass
class Planted:
    """Every secret of the tests. `flowing` are sets that grow by themselves, each with what it is."""

    by_secret: dict[str, str] = field(default_factory=dict)
    flowing: list[tuple[str, Set[str]]] = field(default_factory=list)

    def plant(self, what: str, secret: str) -> str:
        """Remember a secret, and return it."""
        self.by_secret[secret] = what
        return secret

    def forget(self, secret: str) -> None:
        """No longer look for it."""
        del self.by_secret[secret]

    def names(self) -> dict[str, str]:
        """What each secret is."""
        return {secret: what for what, secrets in self.flowing for secret in set(secrets)} | self.by_secret


def leaks(names: Mapping[str, str], texts: Mapping[str, str]) -> list[str]:
    """Which secrets are in which texts, and what looks like one; in words that do not show them once more."""
    looked_for = [(what, form) for secret, what in names.items() for form in forms(secret)]
    found = {f"{what} in {place}" for place, text in texts.items() for what, form in looked_for if form in text}
    shaped = {
        f"{what} in {place}"
        for place, text in texts.items()
        for what, shape in SHAPES.items()
        if shape.search(text)
    }
    return sorted(found | shaped)


def forms(secret: str) -> set[str]:
    """How a secret may be written: as it is, in a URL, or in base64 within anything. A SAS is its signature."""
    _, is_signed, rest = secret.rpartition("sig=")
    bare = unquote(rest.partition("&")[0]) if is_signed else secret
    written = {bare, quote(bare, safe="")}
    return written | {encoded for form in written for encoded in _in_base64(form.encode())}


def _in_base64(secret: bytes) -> Iterator[str]:
    """What all texts in base64 have in common that hold the secret behind 3n, 3n + 1 or 3n + 2 other bytes."""
    for before in range(3):
        encoded = b64encode(bytes(before) + secret).decode()
        yield encoded[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
