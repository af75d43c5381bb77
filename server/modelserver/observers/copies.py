"""A copy of a request that was answered: what to send again, and what its user was told."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from modelserver.comparison import Comparison, compare
from modelserver.observers.answers import said, told
from modelserver.observers.replay import replay
from modelserver.protocols import score

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelserver.observe.metrics import Served
    from modelserver.observers.answers import Answer
    from modelserver.observers.finished import Finished
    from modelserver.observers.replay import Replay


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy, which holds nothing else of its request: `ids` name that in the log, `served` has answered it with
    `answer_bytes`.
    """

    replay: Replay
    status: int
    told: Callable[[], object]
    is_oip: bool
    answer_bytes: int
    served: Served | None
    ids: dict[str, str]

    def compared(self, answer: Answer, tolerance: float) -> Comparison:
        """How what the mirror says in `answer` is beside what the user was told."""
        if answer.status != self.status:
            return Comparison(inf, f"is {answer.status} instead of {self.status}", "status")
        try:
            return compare(self.told(), said(answer, is_oip=self.is_oip), tolerance)
        except RecursionError:
            return Comparison(inf, "is nested too deeply")


def copy(request: Finished, *, with_credentials: bool) -> Copy | None:
    """`request` as it can be sent again; None where that cannot be said."""
    again = replay(request, with_credentials=with_credentials)
    if again is None:
        return None
    return Copy(
        replay=again,
        status=request.status,
        told=told(request),
        is_oip=request.protocol != score.NAME,  # calls of gRPC are sent again as that
        answer_bytes=answer_bytes(request),
        served=request.model or request.handler,
        ids=request.ids(),
    )


def answer_bytes(request: Finished) -> int:
    """How many bytes the answer to `request` is."""
    return len(request.answer) if isinstance(request.answer, Sized) else 0
