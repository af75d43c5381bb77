"""Insurance claims as customers write them, made up from grammar.toml: one seed always gives the same.

Both kinds of claim share most of their words (hail, fire, a tree, the driveway, the police) and often mention the
other kind ("the house was not damaged"), so that a model has to learn more than one telling word.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

HOME, AUTO = 0, 1


@dataclass(frozen=True, slots=True)
class Claim:
    """What the customer wrote, and the kind of claim it is."""

    text: str
    label: int


PHRASES: dict[str, list[str]] = tomllib.loads(Path(__file__).with_name("grammar.toml").read_text())


def write(count: int, rng: np.random.Generator, mislabelled: float = 0.0) -> list[Claim]:
    """`count` claims, about half of each kind. A share of them is `mislabelled`, as in any real archive."""
    return [_claim(rng, mislabelled) for _ in range(count)]


def _claim(rng: np.random.Generator, mislabelled: float) -> Claim:
    label = int(rng.integers(2))
    text = _expanded("{auto}" if label == AUTO else "{home}", rng)
    return Claim(_sentences(text), 1 - label if rng.random() < mislabelled else label)


def _expanded(text: str, rng: np.random.Generator) -> str:
    def phrase(found: re.Match[str]) -> str:
        choices = PHRASES[found[1]]
        return _expanded(choices[int(rng.integers(len(choices)))], rng)

    return re.sub(r"{(\w+)}", phrase, text)


def _sentences(text: str) -> str:
    capitalised = re.sub(r"(^|[.?] )([a-z])", lambda found: found[1] + found[2].upper(), text)
    return capitalised if capitalised.endswith("?") else capitalised + "."
