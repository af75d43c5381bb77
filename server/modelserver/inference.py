"""An inference that a request asked for, and how its outputs become the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelserver.tensors import Array


@dataclass(frozen=True, slots=True)
class Inference:
    """What to run (`feed`, checked against the model, and the wanted `outputs`) and `answer`, which turns the
    values of those outputs into the body of the response.
    """

    feed: dict[str, Array]
    outputs: Sequence[str]
    answer: Callable[[list[object]], bytes]
