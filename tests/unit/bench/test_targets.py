"""A target is met, missed or not measured, and the worst of our protocols decides."""

import pytest

from bench.serving.report import verdict
from bench.serving.targets import TARGETS, Load, Target
from tests.unit.bench.figures import comparison, limit, run

BOTH = Load("pinned", "tiny", 64, ("score", "v2"))


def test_the_slower_protocol_decides_about_a_rate() -> None:
    known = comparison(run("modelserver", 90, protocol="score"), run("modelserver", 70), run("fastapi", 10))
    assert BOTH.ratio("rate", "fastapi")(known) == 7


def test_the_slower_protocol_decides_about_a_latency() -> None:
    known = comparison(run("modelserver", 1, protocol="score", p50_ms=2), run("modelserver", 1, p50_ms=3))
    assert BOTH.value("p50_ms")(known) == 3


def test_what_we_add_to_a_run_of_the_model_is_the_rest_of_the_latency() -> None:
    known = comparison(run("modelserver", 1, p50_ms=0.75), limit(2000))
    assert Load("pinned", "tiny", 64, ("v2",)).added_ms()(known) == 0.25


@pytest.mark.parametrize(
    ("bound", "value", "met"),
    [("≥ 8", 8.0, True), ("≥ 8", 7.9, False), ("≤ 0.5", 0.5, True), ("≤ 0.5", 0.6, False)],
)
def test_a_bound_includes_its_own_number(bound: str, value: float, met: bool) -> None:
    assert Target("", "", bound, "", lambda _: value).is_met(value) is met


def test_a_verdict_shows_the_figure_beside_the_target() -> None:
    target = Target("tiny", "requests/s ÷ FastAPI", "≥ 8", "9.5", lambda _: 7.25)
    assert verdict(target, comparison()) == ["tiny", "requests/s ÷ FastAPI", "≥ 8", "9.5", "7.25", "**no**"]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.load} {target.figure}")
def test_without_measurements_no_target_is_met(target: Target) -> None:
    assert verdict(target, comparison())[4:] == ["not measured", ""]
