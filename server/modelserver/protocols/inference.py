"""An inference that a request asked for, how its outputs become the answer, and the protocols that know both."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelserver.errors import Error
    from modelserver.models.datatypes import Array
    from modelserver.models.model import Model


class Headed(Protocol):
    """What every request has: a name, and headers (gRPC calls them metadata) with names in lower case."""

    @property
    def id(self) -> str: ...

    @property
    def headers(self) -> Mapping[bytes, bytes]: ...


Asked = TypeVar("Asked", bound=Headed, contravariant=True)  # noqa: PLC0105  # readers care less for the variance
Answer = TypeVar("Answer", bound=Sized)


@dataclass(slots=True)  # frozen, it would take three times as long to make
class Inference(Generic[Answer]):
    """What to run (`feed`, checked against the model, and the wanted `outputs`) and `answer`, which turns the
    values of those outputs into what the protocol answers with.
    """

    feed: dict[str, Array]
    outputs: Sequence[str]
    answer: Callable[[list[object]], Answer]


class Dialect(Protocol[Asked, Answer]):
    """A protocol that inferences are asked for in: the modules `score` and `oip`, and gRPC."""

    NAME: str

    def parse(self, model: Model, request: Asked) -> Inference[Answer]:
        """The inference that `request` asks of `model`. Raises BadRequest or Unsupported."""

    def refusal(self, error: Error) -> Answer:
        """`error` in the protocol's own shape. The length of an answer is the bytes that it is on the wire."""
