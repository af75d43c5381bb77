"""What is told of a mirror's answers: counters, and now and then a line in the log."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from modelserver.comparison import Comparison
from modelserver.observers import agreement
from modelserver.observers.agreement import Agreement

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Named:
    """Something that is served."""

    name: str
    version: str


CLAIMS, HANDLER = Named("claims", "3"), Named("h", "")
IDS = {"request_id": "seven"}
DIFFERS = Comparison(0.25, "is 0.75 instead of 0.5", "results[1]")
ANSWERS, DIFFERENCE = "modelserver_mirror_answers_total", "modelserver_mirror_difference"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def found(registry: CollectorRegistry) -> Agreement:
    collector = Agreement()
    registry.register(collector)
    return collector


def lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == agreement.__name__]


def answers(registry: CollectorRegistry, labels: Mapping[str, str]) -> float | None:
    return registry.get_sample_value(ANSWERS, dict(labels))


def test_answers_are_counted_by_what_gave_them_and_whether_they_agree(
    registry: CollectorRegistry, found: Agreement
) -> None:
    for _ in range(3):
        found.count(CLAIMS, Comparison(0.001), IDS)
    found.count(CLAIMS, DIFFERS, IDS)
    found.count(HANDLER, DIFFERS, IDS)
    found.count(None, DIFFERS, IDS)
    claims = {"model": "claims", "version": "3"}
    assert answers(registry, {**claims, "agreement": "agrees"}) == 3
    assert answers(registry, {**claims, "agreement": "differs"}) == 1
    assert answers(registry, {"model": "h", "version": "", "agreement": "differs"}) == 1
    assert answers(registry, {"model": "", "version": "", "agreement": "differs"}) == 1


def test_the_largest_difference_of_each_answer_is_in_a_histogram(
    registry: CollectorRegistry, found: Agreement
) -> None:
    for difference in (0.0, 1e-6, 0.005, 0.25, 3.0):
        found.count(CLAIMS, Comparison(difference), IDS)
    counts = {
        bound: registry.get_sample_value(DIFFERENCE + "_bucket", {"model": "claims", "le": bound})
        for bound in ("0.0", "1e-06", "0.0001", "0.001", "0.01", "0.1", "1.0", "+Inf")
    }
    assert [*counts.values()] == [1, 2, 2, 2, 3, 3, 4, 5]


def test_infinite_differences_are_counted_but_do_not_spoil_the_sum(
    registry: CollectorRegistry, found: Agreement
) -> None:
    found.count(CLAIMS, Comparison(0.5), IDS)
    found.count(CLAIMS, Comparison(inf, "is missing", "outputs"), IDS)
    assert registry.get_sample_value(DIFFERENCE + "_count", {"model": "claims"}) == 2
    assert registry.get_sample_value(DIFFERENCE + "_sum", {"model": "claims"}) == 0.5


def test_a_line_says_where_and_in_which_request_but_not_what(
    found: Agreement, caplog: pytest.LogCaptureFixture
) -> None:
    found.count(CLAIMS, DIFFERS, IDS)
    (line,) = lines(caplog)
    assert vars(line).items() >= {**IDS, "model": "claims", "version": "3", "place": "results[1]"}.items()
    assert not {"0.75", "0.5"} & {*map(str, vars(line).values())}
    assert "0.75" not in line.getMessage()


def test_there_is_a_line_a_minute_at_most(caplog: pytest.LogCaptureFixture) -> None:
    moments = [1000.0, 1001.0, 1059.9, 1060.0, 1100.0, 1120.0]
    found = Agreement(iter(moments).__next__)
    for number in range(len(moments)):
        found.count(CLAIMS, DIFFERS, {"request_id": str(number)})
    assert [vars(line)["request_id"] for line in lines(caplog)] == ["0", "3", "5"]


def test_what_agrees_is_no_line(found: Agreement, caplog: pytest.LogCaptureFixture) -> None:
    found.count(CLAIMS, Comparison(0.001), IDS)
    assert lines(caplog) == []


def test_a_place_with_long_names_is_cut(found: Agreement, caplog: pytest.LogCaptureFixture) -> None:
    found.count(CLAIMS, Comparison(inf, "is missing", "n" * 10_000), IDS)
    assert len(vars(lines(caplog)[0])["place"]) == 200
