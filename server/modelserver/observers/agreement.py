"""What the mirror's answers are, beside those that users got: metrics, and now and then a line in the log."""

from __future__ import annotations

import logging
import time
from collections import Counter
from math import inf, isfinite
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from modelserver.observe.metrics import MODEL, Distribution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client.core import Metric

    from modelserver.comparison import Comparison
    from modelserver.observe.metrics import Served

log = logging.getLogger(__name__)

DIFFERENCES = (0.0, 1e-6, 1e-4, 1e-3, 0.01, 0.1, 1.0)
LINE_EVERY_S = 60.0
MAX_PLACE = 200


class Agreement(Collector):
    """Counts answers by what is served and whether they agree, and their differences."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers: Counter[tuple[str, str, str]] = Counter()
        self._differences: dict[str, Distribution] = {}
        self._next_line = -inf

    def count(self, served: Served | None, found: Comparison, ids: Mapping[str, str]) -> None:
        """Counts an answer of what is `served`. `ids` name its request in the log."""
        name, version = (served.name, served.version) if served else ("", "")
        self._answers[name, version, "agrees" if found.agrees else "differs"] += 1
        _observe(self._differences.setdefault(name, Distribution(DIFFERENCES)), found.difference)
        if not found.agrees:
            self._tell({**ids, "model": name, "version": version, "place": found.place[:MAX_PLACE]})

    def _tell(self, about: Mapping[str, str]) -> None:
        """Logs where answers differ, not every time; what they say there is nobody else's business."""
        now = self._clock()
        if now >= self._next_line:
            self._next_line = now + LINE_EVERY_S
            log.warning("the mirror answers otherwise than this server", extra={**about})

    def collect(self) -> Iterator[Metric]:
        """What Prometheus' registry asks for at every scrape."""
        answers = CounterMetricFamily(
            "modelserver_mirror_answers",
            "Answers of the mirror that were compared with those that users got, by whether they agree.",
            labels=(*MODEL, "agreement"),
        )
        for key, count in self._answers.items():
            answers.add_metric(key, count)
        differences = HistogramMetricFamily(
            "modelserver_mirror_difference",
            "The largest difference of two numbers in such answers; infinite where something else differs.",
            labels=("model",),
        )
        for name, found in self._differences.items():
            differences.add_metric([name], found.buckets(), found.total)
        yield from (answers, differences)


def _observe(differences: Distribution, found: float) -> None:
    """Infinite ones are only in the last bucket: with a single one, the sum would say nothing ever after."""
    if isfinite(found):
        differences.observe(found)
    else:
        differences.counts[-1] += 1
