"""The status tells what is, once: written from the same world again, it is the same status."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelfleet.core.api import ModelDeployment
from modelfleet.core.diagnosis import Cause
from modelfleet.core.observed import Observed
from modelfleet.core.registered import Resolved
from modelfleet.core.status import status_of
from tests.support.kstatus import kstatus
from tests.support.objects import (
    FETCHED,
    NOW,
    ROLLING,
    deployment,
    owner,
    pod,
    progressing,
    ready_pod,
    settled,
    world,
)
from tests.support.schema import crd_schema, violations
from tests.unit.core.situations import NEW, OLD, SITUATIONS, Situation, in_every_situation

MOMENT = datetime(2025, 11, 22, 13, tzinfo=UTC)
SCHEMA = crd_schema("status")


def status(
    of: ModelDeployment, observed: Observed, problem: Cause | None = None, at: datetime = MOMENT
) -> dict[str, Any]:
    return dict(status_of(Resolved(of), observed, problem, at))


def status_in(situation: Situation) -> dict[str, Any]:
    return status(situation.owner, situation.observed, situation.problem)


def after(of: ModelDeployment, stored: dict[str, Any]) -> ModelDeployment:
    """The ModelDeployment as it comes back once its status is written."""
    return dataclasses.replace(of, status=json.loads(json.dumps(stored)))


@in_every_situation
def test_the_same_world_seen_again_gives_the_same_status(situation: Situation) -> None:
    """Else each status written would be the reason to write the next."""
    once = status_in(situation)
    again = status(
        after(situation.owner, once), situation.observed, situation.problem, MOMENT + timedelta(minutes=5)
    )
    assert again == once


@pytest.mark.parametrize("before", SITUATIONS.values(), ids=SITUATIONS.keys())
def test_from_any_past_a_situation_comes_to_rest_at_once(before: Situation) -> None:
    for situation in SITUATIONS.values():
        past = after(situation.owner, status_in(before))
        once = status(past, situation.observed, situation.problem)
        assert status(after(past, once), situation.observed, situation.problem) == once


@in_every_situation
def test_the_crd_keeps_every_field_as_it_is_written(situation: Situation) -> None:
    """Else what comes back would differ from what is written, for ever."""
    assert list(violations(status_in(situation), SCHEMA)) == []


@in_every_situation
def test_flux_and_argo_cd_read_the_same_out_of_it(situation: Situation) -> None:
    expected = "Current" if situation.ready else "Failed" if situation.stalled else "InProgress"
    assert kstatus(situation.owner.generation, status_in(situation)) == expected


@in_every_situation
def test_what_is_waited_for_is_said_exactly_while_not_ready(situation: Situation) -> None:
    awaited = status_in(situation).get("waitingFor")
    assert (awaited is None) == situation.ready
    assert awaited is None or awaited["reason"] == situation.reason


def test_a_status_in_full() -> None:
    of = owner(replicas=2)
    fetched = ready_pod(of, initContainerStatuses=[FETCHED])
    full = status(of, world(of, settled(of), [fetched, ready_pod(of, "claims-2")]))
    assert {key: value for key, value in full.items() if key != "conditions"} == {
        "observedGeneration": 1,
        "phase": "Healthy",
        "progress": "2/2 ready",
        "message": "claims version 1 is served by 2 pods at http://claims.ml.svc.",
        "revision": "1f7f924f7f",
        "endpoint": "http://claims.ml.svc",
        "image": "modelfleet/server:1",
        "models": [
            {"name": "claims", "version": "1", "digest": f"sha256:{'ab' * 32}", "sizeBytes": 1000, "files": 2}
        ],
        "replicas": 2,
        "readyReplicas": 2,
        "updatedReplicas": 2,
        "selector": "modelfleet.dev/deployment=claims",
    }


def test_what_was_fetched_is_remembered_as_long_as_the_revision_lasts() -> None:
    fetched = status(NEW, world(NEW, settled(NEW), [ready_pod(NEW, initContainerStatuses=[FETCHED])]))
    assert fetched["models"][0]["digest"] == f"sha256:{'ab' * 32}"
    without_pods = status(after(NEW, fetched), world(NEW, settled(NEW)))
    assert without_pods["models"] == fetched["models"]
    next_revision = status(after(OLD, fetched), world(OLD, settled(OLD)))
    assert next_revision["models"] == [{"name": "claims", "version": "1"}]


def test_the_image_is_that_of_the_pods_and_unknown_until_there_are_some() -> None:
    assert "image" not in status(NEW, world(NEW, settled(OLD)))
    assert status(NEW, world(NEW, settled(NEW)))["image"] == "modelfleet/server:1"


def test_progress_counts_against_what_an_autoscaler_asks_for() -> None:
    live = settled(NEW, replicas=5, updated=5, available=4)
    assert status(NEW, world(NEW, live, [ready_pod(NEW)]))["progress"] == "1/5 ready"
    assert status(NEW, Observed())["progress"] == "0/3 ready"


def test_a_rollout_says_when_it_counts_as_failed() -> None:
    awaited = status(NEW, world(NEW, deployment(NEW, updated=1, conditions=[ROLLING])))["waitingFor"]
    assert awaited == {
        "reason": "RollingOut",
        "hint": "kubectl describe -n ml pods -l modelfleet.dev/deployment=claims",
        "until": "2025-11-22T13:10:00Z",
    }


def test_what_waiting_does_not_mend_has_no_end_by_itself() -> None:
    assert "until" not in status_in(SITUATIONS["a pod fails for good"])["waitingFor"]


@pytest.mark.parametrize(
    "live",
    [
        deployment(NEW, updated=1, conditions=[progressing("ProgressDeadlineExceeded", "False")]),
        deployment(NEW, updated=1, generation=2, observed_generation=1, conditions=[ROLLING]),
        deployment(NEW, updated=1),
        settled(NEW, available=1),
    ],
    ids=["it has failed", "the condition is that of the spec before", "nobody has counted yet", "pods were lost"],
)
def test_without_a_rollout_under_way_no_end_is_promised(live: dict[str, Any]) -> None:
    assert "until" not in status(NEW, world(NEW, live, [pod(NEW)]))["waitingFor"]


def test_the_deadline_is_the_one_in_the_deployment() -> None:
    live = deployment(NEW, updated=1, conditions=[ROLLING], progressDeadlineSeconds=90)
    assert status(NEW, world(NEW, live))["waitingFor"]["until"] == "2025-11-22T13:01:30Z"
    assert MOMENT.strftime("%Y-%m-%dT%H:%M:%SZ") == NOW
