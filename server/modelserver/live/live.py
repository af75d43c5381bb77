"""The live settings that are in force: those of the file as it is now, if it is valid, else the former ones."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from prometheus_client import Gauge

from modelserver.live.settings import LiveSettings
from modelserver.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prometheus_client import CollectorRegistry

    Apply = Callable[[LiveSettings], None]

log = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024  # reading it must not hold up requests


class Live:
    """`current` is always valid; without a file it is what nobody has changed."""

    def __init__(self, path: Path, registry: CollectorRegistry) -> None:
        self.current = LiveSettings()
        self._path = path
        self._watch = Watch(path, self._changed)
        self._appliers: list[Apply] = []
        self._valid = Gauge(
            "modelserver_live_settings_valid",
            "1 while the file of live settings is valid, or not there; 0 while its former content is in force.",
            registry=registry,
        )
        self._generation = Gauge(
            "modelserver_live_settings_generation",
            "How many times other settings came into force since the start.",
            registry=registry,
        )

    def subscribe(self, apply: Apply) -> None:
        """Calls `apply` with the current settings, and again whenever others are in force."""
        self._appliers.append(apply)
        apply(self.current)

    def start(self) -> None:
        """Reads the file now, and whenever it changes from now on."""
        self._watch.start()

    def _changed(self) -> None:
        from modelserver.live import parsing  # noqa: PLC0415  # most servers have no such file

        try:
            wanted = parsing.parse(_text(self._path))
        except (parsing.Invalid, OSError) as error:
            self._valid.set(0)
            log.error("%s cannot be used, the former settings stay in force: %s", self._path, error)
            return
        self._valid.set(1)
        if wanted != self.current:
            self._apply(wanted)

    def _apply(self, wanted: LiveSettings) -> None:
        self.current = wanted
        self._generation.inc()
        for apply in self._appliers:
            apply(wanted)
        log.info("live settings are in force", extra={"settings": str(wanted)})


def _text(path: Path) -> bytes:
    """The content of the file; nothing where there is none. Raises OSError."""
    try:
        with path.open("rb") as file:
            found = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return b""
    if len(found) > MAX_BYTES:
        raise OSError(f"it is larger than {MAX_BYTES} bytes")
    return found
