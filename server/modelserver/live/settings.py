"""What can be changed while the server runs, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """Send `percent` of the requests again, to the server at `url`, and wait `timeout_s` for each answer, whose
    numbers may be off by `tolerance`.
    """

    url: str
    percent: float
    timeout_s: float = 10.0
    tolerance: float = 0.01


@dataclass(frozen=True, slots=True)
class RequestLogSettings:
    """Write `percent` of the requests and their answers to a file or below a blob URL; the tensors of each are cut
    to `max_body_bytes`. `credentials` is a folder as the fetcher takes it; None means workload identity, if any.
    """

    to: str
    percent: float
    max_body_bytes: int = 64 * 1024
    credentials: str | None = None


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How requests for a model share runs; None leaves it to the server.

    `enabled` False lets every request run alone; True asks for batches where the server would not make any.
    """

    max_rows: int | None = None
    max_queue: int | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Batching(BatchLimits):
    """The limits of all models, and of those that are named."""

    models: Mapping[str, BatchLimits] = field(default_factory=dict)

    def of(self, model: str) -> BatchLimits:
        """The limits of `model`; what is not said for it is as for all."""
        named = self.models.get(model, self)
        return BatchLimits(
            self.max_rows if named.max_rows is None else named.max_rows,
            self.max_queue if named.max_queue is None else named.max_queue,
            self.enabled if named.enabled is None else named.enabled,
        )


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """Everything that can be changed while the server runs. None means without."""

    mirror: MirrorSettings | None = None
    request_log: RequestLogSettings | None = None
    batching: Batching = Batching()
