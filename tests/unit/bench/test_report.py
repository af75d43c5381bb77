"""The page is made of what was measured, and says what was not."""

import pytest

from bench.serving.report import number, rendered, table
from bench.serving.results import Missing, Results
from tests.unit.bench.figures import life, limit, results, run


def cells(page: str, start: str) -> list[str]:
    line = next(line for line in page.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (80920.3, "80,920"),
        (1000, "1,000"),
        (999.4, "999"),
        (12.34, "12.3"),
        (2.0, "2.00"),
        (0.0123, "0.0123"),
        (9e-5, "0.0001"),
    ],
)
def test_numbers_have_three_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


def test_a_table_has_a_line_for_each_row() -> None:
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |\n"


def test_every_figure_stands_beside_its_ratio_to_the_best_peer_and_to_the_limit() -> None:
    page = rendered(
        results(run("modelserver", 400), run("fastapi", 100, p50_ms=4), limit(500), limit(800, rows=8))
    )
    assert cells(page, "**modelserver, v2**")[:6] == ["**modelserver, v2**", "64", "400", "4.00", "1.00", "0.250"]
    assert cells(page, "**modelserver, v2**")[-2:] == ["0.800", "0.500"]


def test_faster_servers_stand_above_slower_ones() -> None:
    page = rendered(results(run("kserve", 1), run("triton", 3), run("fastapi", 2)))
    assert page.index("triton, v2") < page.index("fastapi, v2") < page.index("kserve, v2")


def test_a_server_that_failed_is_marked_and_has_no_ratios() -> None:
    page = rendered(results(run("triton", 400, failures=3), run("fastapi", 100)))
    assert cells(page, "triton, v2 (3 FAILED)")[2:4] == ["400", ""]


def test_starts_and_memory_have_a_table() -> None:
    page = rendered(results(run("modelserver", 1), life("modelserver", 0.2), run("flask", 1), life("flask", 0.4)))
    assert cells(page, "**modelserver**") == ["**modelserver**", "0.200", "0.500", "50.0", "1.00", "40.0", "1.00"]


def test_who_is_missing_is_named_with_the_reason() -> None:
    known = results(run("modelserver", 1))
    known.missing.append(Missing("pinned", "tiny", "kserve", "uv pip install\nno such | package"))
    assert cells(rendered(known), "kserve") == ["kserve", "tiny, pinned", "no such / package"]


def test_the_day_and_the_limit_are_told() -> None:
    page = rendered(results(run("modelserver", 1), limit(200_000), limit(6_000_000, rows=32)))
    assert "Measured on 2026-11-22" in page
    assert "Limit: 200,000 rows/s one at a time (5.00 µs), at best 6,000,000." in page


def test_nothing_measured_makes_a_page_too() -> None:
    assert "not measured" in rendered(Results())
