"""What a run of a model is likely to take, learned from what runs took."""

from __future__ import annotations

# Other work on the machine can only make a run longer. So a shorter one counts for more, and no single one for
# much, however long: it takes several in a row to say that a model has become slow.
WEIGHT_OF_SHORTER = 0.5
MOST_GROWTH = 1.25


class Costs:
    """Seconds by the size of the input: one estimate for each power of two, so that nothing is guessed for inputs
    twice as large as any seen before.
    """

    __slots__ = ("_seconds",)

    def __init__(self) -> None:
        self._seconds: dict[int, float] = {}

    def learn(self, size: int, seconds: float) -> None:
        """A run on `size` bytes took `seconds`."""
        bucket = size.bit_length()
        known = self._seconds.get(bucket)
        if known is None:
            self._seconds[bucket] = seconds
        elif seconds < known:
            self._seconds[bucket] = known + WEIGHT_OF_SHORTER * (seconds - known)
        else:
            self._seconds[bucket] = min(seconds, known * MOST_GROWTH)

    def of(self, size: int) -> float:
        """The seconds that a run on `size` bytes will take; infinity where nothing is known."""
        return self._seconds.get(size.bit_length(), float("inf"))
