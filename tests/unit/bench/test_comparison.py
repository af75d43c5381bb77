"""Our figures as ratios to the best peer and to the limit."""

import pytest

from bench.serving.results import Key
from tests.unit.bench.figures import comparison, life, limit, run

OURS = Key("pinned", "tiny", "modelserver", "v2", 64)


def test_the_fastest_peer_is_the_one_to_beat() -> None:
    known = comparison(run("modelserver", 900), run("kserve", 100), run("triton", 300))
    assert known.ratio(OURS, "rate") == 3


def test_for_a_latency_the_lowest_is_the_best() -> None:
    known = comparison(run("modelserver", 1, p50_ms=1), run("kserve", 1, p50_ms=4), run("triton", 1, p50_ms=8))
    assert known.ratio(OURS, "p50_ms") == 0.25


def test_who_speaks_json_competes_with_json_of_any_protocol_but_not_with_binary_tensors() -> None:
    known = comparison(
        run("modelserver", 100), run("fastapi", 50, protocol="score"), run("triton", 1, protocol="binary")
    )
    assert known.ratio(OURS, "rate") == 2


def test_our_own_variants_are_no_peers() -> None:
    known = comparison(run("modelserver", 100), run("modelserver-unbatched", 100), run("fastapi", 50))
    assert known.ratio(OURS, "rate") == 2


def test_another_number_of_connections_does_not_count() -> None:
    with pytest.raises(LookupError):
        comparison(run("modelserver", 100), run("fastapi", 50, connections=8)).ratio(OURS, "rate")


def test_who_fails_a_request_is_not_the_best() -> None:
    known = comparison(run("modelserver", 100), run("fastapi", 50), run("triton", 1000, failures=1))
    assert known.ratio(OURS, "rate") == 2


def test_who_fails_a_request_has_no_ratio() -> None:
    with pytest.raises(LookupError):
        comparison(run("modelserver", 100, failures=1), run("fastapi", 50)).ratio(OURS, "rate")


def test_only_the_named_servers_compete_where_some_are_named() -> None:
    known = comparison(run("modelserver", 100), run("fastapi", 50), run("triton", 10))
    assert known.ratio(OURS, "rate", ["triton", "mlserver"]) == 10


def test_the_limit_is_the_best_of_the_medians() -> None:
    known = comparison(limit(10), limit(30), limit(20), limit(400, rows=8), limit(300, rows=64))
    assert known.limit("pinned", "tiny") == 400
    assert known.limit("pinned", "tiny", rows=1) == 20


def test_our_share_of_the_limit_is_a_ratio_to_it() -> None:
    known = comparison(run("modelserver", 100), limit(200), limit(400, rows=8))
    assert known.share(OURS) == 0.25
    assert known.share(OURS, rows=1) == 0.5


def test_a_start_is_compared_with_the_quickest_peer() -> None:
    known = comparison(
        life("modelserver", 0.2), life("flask", 0.4), life("triton", 4), life("modelserver-unbatched", 0.1)
    )
    assert known.life_ratio("pinned", "tiny", "modelserver", "start_s") == 0.5


@pytest.mark.parametrize("question", ["limit", "life"])
def test_what_was_not_measured_is_a_lookup_error(question: str) -> None:
    known = comparison()
    with pytest.raises(LookupError):
        known.limit("pinned", "tiny") if question == "limit" else known.life("pinned", "tiny", "triton", "rss_mb")
