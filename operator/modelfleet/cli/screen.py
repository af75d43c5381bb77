"""Where text goes: a terminal, where a picture is drawn over the one before, or a file, one after another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

_CLEAR, _HOME, _END_OF_LINE, _END_OF_SCREEN = "\x1b[2J", "\x1b[H", "\x1b[K", "\x1b[J"


class Screen:
    """Shows pictures one after the other."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._shown: list[str] = []
        self.is_live = output.isatty()

    def show(self, lines: Iterable[str]) -> None:
        """Show a picture; in a file only if it is another one."""
        picture = printable(lines)
        if self.is_live:
            self._redraw(picture)
        elif picture != self._shown:
            self._output.write("".join(f"{line}\n" for line in ([""] if self._shown else []) + picture))
        self._output.flush()
        self._shown = picture

    def _redraw(self, picture: list[str]) -> None:
        """Draw over what is there: clearing the screen each time would make it flicker."""
        start = _HOME if self._shown else _CLEAR + _HOME
        body = "".join(f"{line}{_END_OF_LINE}\n" for line in picture)
        self._output.write(start + body + _END_OF_SCREEN)


def printable(lines: Iterable[str]) -> list[str]:
    """Return the lines without what a terminal would obey: messages may hold what a model's code has said."""
    parts = (part for line in lines for part in line.expandtabs().split("\n"))
    return [
        "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in part) for part in parts
    ]
