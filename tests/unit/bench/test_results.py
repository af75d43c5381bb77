"""Measurements are kept in a file, and the rounds become medians."""

from pathlib import Path

from bench.serving.results import Key, Missing, Results, load, medians
from tests.unit.bench.figures import life, limit, results, run


def test_the_median_round_counts() -> None:
    ((_, figures),) = medians([run("triton", 10), run("triton", 1000), run("triton", 20)]).items()
    assert figures.rate == 20


def test_failures_of_all_rounds_add_up() -> None:
    ((_, figures),) = medians(
        [run("triton", 10, failures=2), run("triton", 10), run("triton", 10, failures=1)]
    ).items()
    assert figures.failures == 3


def test_protocols_and_connections_are_figures_of_their_own() -> None:
    found = medians([run("triton", 1), run("triton", 2, protocol="binary"), run("triton", 3, connections=8)])
    assert {key: figures.rate for key, figures in found.items()} == {
        Key("pinned", "tiny", "triton", "v2", 64): 1,
        Key("pinned", "tiny", "triton", "binary", 64): 2,
        Key("pinned", "tiny", "triton", "v2", 8): 3,
    }


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    known = results(run("triton", 1), life("triton", 2), limit(3))
    known.missing.append(Missing("pinned", "tiny", "kserve", "it does not start"))
    known.save(tmp_path / "new" / "kept.json")
    assert load(tmp_path / "new" / "kept.json") == known


def test_without_a_file_nothing_is_known(tmp_path: Path) -> None:
    assert load(tmp_path / "kept.json") == Results()


def test_what_is_measured_anew_is_forgotten_and_the_rest_stays() -> None:
    known = results(run("triton", 1), life("triton", 2), limit(3))
    known.forget("shared", "tiny")
    known.forget("pinned", "claim")
    assert len(known.runs + known.lives + known.limits) == 3
    known.forget("pinned", "tiny")
    assert known.runs + known.lives + known.limits == []
