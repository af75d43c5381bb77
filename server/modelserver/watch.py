"""Files that may change while the server runs: ConfigMaps and Secrets are replaced by moving a symbolic link."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EVERY_S = 1.0
State = tuple[tuple[str, int, int, int, int], ...]


def files(path: Path) -> list[Path]:
    """`path` itself, or the files in the folder `path`, but for hidden ones (Kubernetes keeps its links there).

    A file that is not there is left out.
    """
    found = sorted(path.iterdir()) if path.is_dir() else [path]
    return [file for file in found if (file == path or not file.name.startswith(".")) and file.is_file()]


def state(path: Path) -> State:
    """What differs once a file at `path` was changed, replaced, added or removed."""
    return tuple(_states(path))


def _states(path: Path) -> Iterator[tuple[str, int, int, int, int]]:
    with suppress(OSError):  # it is being replaced; the next look will see it
        for file in files(path):
            found = file.stat()
            yield file.name, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class Watch:
    """Calls `changed` once in the beginning, and again after each change of `path`, in the event loop's thread."""

    def __init__(self, path: Path, changed: Callable[[], None]) -> None:
        self._path = path
        self._changed = changed
        self._known: State | None = None
        self._last: State | None = None

    def start(self) -> None:
        """Looks now, and every second from now on."""
        asyncio.get_running_loop().call_later(EVERY_S, self.start)
        self.look()

    def look(self) -> None:
        """Looks now. A change counts when the next look sees it too: until then the file may be half written."""
        found = state(self._path)
        if found != self._known and (found == self._last or self._known is None):
            self._known = found
            self._changed()
        self._last = found
