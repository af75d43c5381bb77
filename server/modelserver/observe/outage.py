"""Telling once that something fails, and once that it works again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging


class Outage:
    """Knows whether something works, and logs when that changes: a line for each failure would bury the others."""

    def __init__(self, log: logging.Logger, failure: str, recovery: str) -> None:
        self._log = log
        self._failure = failure
        self._recovery = recovery
        self._lasts = False

    def failed(self, why: str) -> None:
        """It has just failed, because of `why`."""
        if not self._lasts:
            self._log.warning("%s: %s", self._failure, why)
        self._lasts = True

    def worked(self) -> None:
        """It has just worked."""
        if self._lasts:
            self._log.info("%s", self._recovery)
        self._lasts = False
