"""API keys: one a line, in a file or in the files of a folder, as Secrets are mounted. All of them are valid."""

from __future__ import annotations

import hashlib
import hmac
import logging
from typing import TYPE_CHECKING

from modelserver.watch import Watch, files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = logging.getLogger(__name__)


class ApiKeys:
    """The keys at `path`, as they are now. Without any, or when they cannot be read, none is valid."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digests: list[bytes] = []

    def start(self, changed: Callable[[], None]) -> None:
        """Reads the keys, and again after each change; calls `changed` each time."""

        def read() -> None:
            self._read()
            changed()

        Watch(self._path, read).start()

    def __contains__(self, key: bytes) -> bool:
        """Whether `key` is one of them; the time that takes does not depend on which, or on how much is right."""
        digest = _digest(key)
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0

    def _read(self) -> None:
        try:
            self._digests = [_digest(key) for key in _keys(self._path)]
        except OSError as error:
            self._digests = []
            log.error("no API key is valid: %s cannot be read: %s", self._path, error.strerror)
            return
        if self._digests:
            log.info("API keys were read", extra={"count": len(self._digests)})
        else:
            log.error("no API key is valid: there is none in %s", self._path)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _keys(path: Path) -> Iterator[bytes]:
    for file in files(path):
        for line in file.read_bytes().splitlines():
            key = line.strip()
            if key and not key.startswith(b"#"):
                yield key
