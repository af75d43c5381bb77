"""What a run of a model is likely to take, learned from what runs took."""

from __future__ import annotations

WEIGHT = 0.2  # of the newest run in the moving average


class Costs:
    """Seconds by the size of the input: one moving average for each power of two, so that nothing is guessed for
    inputs twice as large as any seen before.
    """

    __slots__ = ("_seconds",)

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def learn(self, size: int, seconds: float) -> None:
        """A run on `size` bytes took `seconds`."""
        bucket = size.bit_length()
        known = self._seconds.get(bucket)
        self._seconds[bucket] = seconds if known is None else known + WEIGHT * (seconds - known)

    def of(self, size: int) -> float:
        """The seconds that a run on `size` bytes will take; infinity where nothing is known."""
        return self._seconds.get(size.bit_length(), float("inf"))
