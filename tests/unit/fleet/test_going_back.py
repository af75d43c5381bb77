"""A version that fails in one region: how far it has come, and where it goes back."""

from typing import Any

from tests.support.pretend_fleet import PretendFleet, fleet

WAVES = [{"name": "pilot", "regions": ["west"]}, {"name": "rest", "regions": ["*"]}]
ANALYSIS: dict[str, Any] = {"analysis": {"maxErrorRate": "1%", "minRequests": 100}}


def changing(*bad: str, **rollout: Any) -> PretendFleet:
    """A fleet that has begun to change to a version that answers badly in some regions."""
    f = fleet(waves=WAVES, bake="5m", **ANALYSIS, **rollout)
    f.behave("2", *bad, error_rate=0.5)
    f.write("2")
    f.run()
    return f


def test_no_other_region_sees_a_version_that_fails_in_the_pilot() -> None:
    f = changing("west")
    seen: set[str] = set()

    def is_over() -> bool:
        seen.update(f.running_in("north"), f.running_in("east"))
        return f.reason == "RolledBack"

    f.run_until(is_over)
    assert f.target not in seen
    assert f.stable_in("west") in seen
    assert f.results[0] == (f.target, "RolledBack")
    assert f.is_stalled


def test_it_is_rolling_back_until_no_region_is_on_its_way() -> None:
    f = changing("north")
    f.run_until(lambda: f.reason == "RollingBack")
    while f.reason == "RollingBack":
        assert f.results[0][1] != "RolledBack"
        f.run(5)
    assert f.reason == "RolledBack"
    old = f.stable_in("north")
    assert (f.stable_in("west"), f.stable_in("east")) == (f.target, old)
    assert f.reason_in("east") == "RolledBack"


def test_all_regions_go_back_where_that_is_asked_for() -> None:
    f = changing("north", rollback="All")
    f.run_until(lambda: f.reason == "RolledBack")
    assert len({f.stable_in(region) for region in f.clusters}) == 1
    assert f.target not in {f.stable_in(region) for region in f.clusters}
    f.run(3600)
    assert f.reason == "RolledBack"


def test_a_retry_begins_with_the_first_wave_again() -> None:
    f = changing("west")
    f.run_until(lambda: f.reason == "RolledBack")
    f.behave("2")
    f.command("retry", f.target)
    f.run_until(lambda: f.target in f.running_in("west"))
    assert f.target not in f.running_in("north")
    f.run_until(lambda: f.reason == "Serving")
    assert {f.stable_in(region) for region in f.clusters} == {f.target}


def test_another_version_ends_what_has_gone_back() -> None:
    f = changing("north")
    f.run_until(lambda: f.reason == "RolledBack")
    f.write("3")
    f.run_until(lambda: f.reason == "Serving")
    assert {f.stable_in(region) for region in f.clusters} == {f.target}
    assert [result for _, result in f.results[:2]] == ["Succeeded", "RolledBack"]
