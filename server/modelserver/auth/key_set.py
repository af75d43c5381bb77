"""The public keys of an issuer (a JSON Web Key Set), from a file or URL, kept up to date by a thread."""

from __future__ import annotations

import json
import logging
import time
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import jwt

from modelserver.errors import Unavailable
from modelserver.observe.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

DISCOVERY = "/.well-known/openid-configuration"
MAX_BYTES = 1024 * 1024
TIMEOUT_S = 10.0
# Issuers announce new keys long before they use them. Where one does not, a token with an unknown key is
# a reason to look again.
FILE_EVERY_S = FILE_RARELY_S = 1.0
URL_EVERY_S, URL_RARELY_S = 30.0, 3600.0
RETRY_S, MAX_RETRY_S = 1.0, 60.0


class UnknownKey(jwt.PyJWTError):
    """The issuer has no key with this id."""


class KeySet:
    """The keys at `source`; where that is None, at the place that the issuer's own document names."""

    def __init__(self, issuer: str, source: str | None) -> None:
        self._issuer = issuer
        self._source = source
        self._text = b""
        self._keys: dict[str | None, Any] = {}
        self._missed = Event()
        self._outage = Outage(
            log, f"the keys of {issuer} cannot be read", f"the keys of {issuer} can be read again"
        )

    def start(self, changed: Callable[[], None]) -> None:
        """Reads the keys now, and again from time to time; calls `changed`, in a thread, when they are others."""
        Thread(target=self._keep, args=(changed,), name="issuer-keys", daemon=True).start()

    def find(self, key_id: str | None) -> Any:
        """The key with this id. Raises UnknownKey, or Unavailable as long as no keys could be read."""
        keys = self._keys
        if not keys:
            raise Unavailable(f"the keys of {self._issuer} could not be read yet; try again in a moment")
        if key_id is None and len(keys) == 1:
            return next(iter(keys.values()))
        if key_id not in keys:
            self._missed.set()
            raise UnknownKey
        return keys[key_id]

    def _keep(self, changed: Callable[[], None]) -> None:
        is_file = self._source and "://" not in self._source
        every_s, rarely_s = (FILE_EVERY_S, FILE_RARELY_S) if is_file else (URL_EVERY_S, URL_RARELY_S)
        retry_s = RETRY_S
        while True:
            if self._read(changed):
                retry_s = RETRY_S
                time.sleep(every_s)
                self._missed.wait(rarely_s - every_s)
            else:
                time.sleep(retry_s)
                retry_s = min(2 * retry_s, MAX_RETRY_S)
            self._missed.clear()

    def _read(self, changed: Callable[[], None]) -> bool:
        try:
            text = _content(self._source or _named_by(self._issuer))
            if text != self._text:
                self._keys = _parsed(text)
                self._text = text
                changed()
        except (OSError, HTTPException, ValueError, jwt.PyJWTError) as error:
            self._outage.failed(str(error))
            return False
        self._outage.worked()
        return True


def _named_by(issuer: str) -> str:
    """Where the issuer's keys are, as OpenID Connect has it say. Raises OSError, HTTPException or ValueError."""
    document = _object(_content(issuer.rstrip("/") + DISCOVERY))
    if not isinstance(found := document.get("jwks_uri"), str):
        raise ValueError("its openid-configuration names no jwks_uri; give --jwt-keys")
    return found


def _content(source: str) -> bytes:
    if "://" not in source:
        return Path(source).read_bytes()
    if not source.startswith(("https://", "http://")):
        raise ValueError(f"{source} is neither a file nor a URL with https://")
    with urlopen(source, timeout=TIMEOUT_S) as answer:  # noqa: S310  # it was just checked
        found: bytes = answer.read(MAX_BYTES)
        return found


def _object(text: bytes) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("this is not a JSON object")  # as for JSON that is none at all
    return found


def _parsed(text: bytes) -> dict[str | None, Any]:
    found = jwt.PyJWKSet.from_dict(_object(text)).keys
    keys = {key.key_id: key.key for key in found if key.key_type == "RSA" and key.public_key_use in (None, "sig")}
    if not keys:
        raise ValueError("there is no RSA key for signatures among them")
    return keys
