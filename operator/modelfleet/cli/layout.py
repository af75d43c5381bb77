"""Text laid out for people: columns, and trees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_GAP = "   "


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of a tree, and what hangs below it."""

    text: str
    below: tuple[Branch, ...] = ()


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a line for each row, in which the cells of a column stand below each other, empty ones as a dash."""
    rows = [[cell or "-" for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def facts(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Return a line for each name and its value; what has no value has no line."""
    known = [(f"{name}:", value) for name, value in pairs if value]
    return columns(known) if known else []


def leaves(pairs: Sequence[tuple[str, str]]) -> tuple[Branch, ...]:
    """Return a branch for each name and its value; what has no value has none."""
    known = [(name, value) for name, value in pairs if value]
    return tuple(Branch(line) for line in columns(known)) if known else ()


def tree(root: Branch) -> Iterator[str]:
    """Yield the lines of a tree."""
    yield root.text
    for place, branch in enumerate(root.below):
        is_last = place == len(root.below) - 1
        first, *others = tree(branch)
        yield ("└── " if is_last else "├── ") + first
        yield from (("    " if is_last else "│   ") + line for line in others)
