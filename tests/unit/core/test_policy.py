"""How ``spec.rollout`` is read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelfleet.core.analysis import Criteria
from modelfleet.core.policy import Freeze, Policy, Shadow, duration, parse_policy


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0s", timedelta()),
        ("250ms", timedelta(milliseconds=250)),
        ("90s", timedelta(seconds=90)),
        ("1.5h", timedelta(minutes=90)),
        ("1h30m", timedelta(minutes=90)),
        ("1m30s500ms", timedelta(seconds=90.5)),
    ],
)
def test_durations_are_those_of_kubernetes(text: str, expected: timedelta) -> None:
    assert duration(text) == expected


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "1d", "5m x"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        duration(text)


def test_a_rollout_that_says_nothing_has_the_defaults() -> None:
    assert parse_policy({}) == Policy()
    assert parse_policy(None) is None


def test_a_rollout_that_says_everything() -> None:
    found = parse_policy(
        {
            "canary": {"steps": [20, 50], "pause": "1m"},
            "analysis": {
                "maxErrorRate": "0.5%",
                "maxLatencyP99": "250ms",
                "minRequests": 50,
                "smoke": {"configMapRef": "golden"},
                "shadow": {"percent": 25, "minAgreement": "75%", "tolerance": "2%"},
            },
            "bake": "15m",
            "onFailure": "Pause",
            "progressDeadline": "10m",
            "paused": True,
            "freeze": [{"from": "2026-12-24T00:00:00Z", "to": "2026-12-27T00:00:00+01:00", "reason": "rest"}],
        }
    )
    freeze = Freeze(datetime(2026, 12, 24, tzinfo=UTC), datetime(2026, 12, 26, 23, tzinfo=UTC), "rest")
    assert found == Policy(
        steps=(20, 50),
        pause=timedelta(minutes=1),
        criteria=Criteria(0.005, 0.25, 50, max_disagreement=0.25, min_comparisons=13),
        samples="golden",
        shadow=Shadow(25, 0.02),
        bake=timedelta(minutes=15),
        on_failure="Pause",
        progress_deadline=timedelta(minutes=10),
        paused=True,
        freezes=(freeze,),
    )


@pytest.mark.parametrize("analysis", [{"smoke": {"configMapRef": "golden"}}, {"shadow": {"percent": 10}}])
def test_without_a_limit_the_counters_are_asked_nothing(analysis: dict[str, Any]) -> None:
    found = parse_policy({"canary": {"steps": [20]}, "analysis": analysis})
    assert found
    assert found.criteria is None


def test_of_freezes_that_overlap_the_one_that_ends_last_counts() -> None:
    short, long = (Freeze(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, day, tzinfo=UTC)) for day in (2, 3))
    policy = Policy(freezes=(long, short))
    assert policy.frozen(datetime(2026, 1, 1, 12, tzinfo=UTC)) is long
    assert policy.frozen(datetime(2026, 1, 3, tzinfo=UTC)) is None
    assert policy.frozen(datetime(2025, 12, 31, tzinfo=UTC)) is None


def test_all_of_a_time_is_in_utc_as_the_status_writes_it() -> None:
    found = parse_policy({"freeze": [{"from": "2026-12-24T00:00:00Z", "to": "2026-12-27T00:00:00+01:00"}]})
    assert found is not None
    assert found.freezes[0].end.isoformat() == "2026-12-26T23:00:00+00:00"
