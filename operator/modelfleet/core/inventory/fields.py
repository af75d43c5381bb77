"""Reading fields that anybody may have written: each is of its type, of a sane size, or refused by name."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any

from modelfleet.core.inventory.member import Unusable
from modelfleet.core.manifest import Manifest, dig

PAYLOAD_BYTES = 1024 * 1024
NAME_CHARACTERS = 253

_TOKEN = re.compile(r"[\x21-\x7e]+")
_OFF = {None, False, ""}


def text(where: Manifest, *path: str) -> str:
    """Return a text, or an empty one where there is none."""
    found = dig(where, *path)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise Unusable("FieldInvalid", f"{'.'.join(path)} is no text: write it in quotes.")
    return found


def mapping(where: Manifest, *path: str) -> Manifest:
    """Return what has fields of its own, or nothing where there is none."""
    found = dig(where, *path)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Unusable("FieldInvalid", f"{'.'.join(path)} has to be a mapping of names to values.")
    return found


def items(where: Manifest, *path: str) -> list[Any]:
    """Return a list, or an empty one where there is none."""
    found = dig(where, *path)
    if found is None:
        return []
    if not isinstance(found, list):
        raise Unusable("FieldInvalid", f"{'.'.join(path)} has to be a list.")
    return found


def given(where: Manifest, names: Iterable[str]) -> str:
    """Return the first of these fields that says something, or an empty text."""
    return next((name for name in names if _says_something(where.get(name))), "")


def name(text: str, otherwise: str) -> str:
    """Return a cluster's name, which has to fit in a line; where none is given, the other."""
    if len(text) > NAME_CHARACTERS or not text.isprintable():
        raise Unusable("NameInvalid", f"The name of a cluster has at most {NAME_CHARACTERS} printable characters.")
    return text.strip() or otherwise


def token(text: str) -> str:
    """Return a token that can be sent in a header."""
    if not _TOKEN.fullmatch(text):
        sentence = "The token has characters that no token has, such as a line end behind it: write it without."
        raise Unusable("TokenInvalid", sentence)
    return text


def secret_data(secret: Manifest, key: str) -> bytes:
    """Return the value of a key in a Secret, empty where there is none."""
    return decoded(text(secret, "data", key), f"data.{key}", PAYLOAD_BYTES, "PayloadTooLarge")


def decoded(encoded: str, what: str, limit: int, too_large: str) -> bytes:
    """Return what stands there in base64, up to a limit."""
    # Four characters carry three bytes; the lines of MIME are broken after 76.
    if len(encoded) > limit * 3 // 2 or len(content := _content(encoded, what)) > limit:
        raise Unusable(too_large, f"{what} is larger than {limit} bytes, which is more than any cluster needs.")
    return content


def _content(encoded: str, what: str) -> bytes:
    compact = encoded.replace("\r", "").replace("\n", "")
    try:
        return base64.b64decode(compact, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise Unusable("PayloadInvalid", f"{what} is no base64.")


def _says_something(value: Any) -> bool:
    return bool(value) if isinstance(value, list | dict) else value not in _OFF
