"""An inference that a request asked for, how its outputs become the answer, and the protocols that know both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelserver.http.message import Request
    from modelserver.model import Model
    from modelserver.tensors import Array


@dataclass(frozen=True, slots=True)
class Inference:
    """What to run (`feed`, checked against the model, and the wanted `outputs`) and `answer`, which turns the
    values of those outputs into the body of the response.
    """

    feed: dict[str, Array]
    outputs: Sequence[str]
    answer: Callable[[list[object]], bytes]


class Dialect(Protocol):
    """A protocol that inferences can be asked for in; the modules `score` and `oip` are the two there are."""

    NAME: str

    def parse(self, model: Model, request: Request) -> Inference:
        """The inference that `request` asks of `model`. Raises BadRequest or Unsupported."""
