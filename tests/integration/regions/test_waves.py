"""A version comes from region to region in waves, and no further than it is good."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from modelfleet.core.api import parse
from modelfleet.core.revision import revision_of
from tests.integration.cli.test_rollouts import said
from tests.integration.regions.fleet import Places, claims, reason, region, settle, version_in
from tests.support.clusters import LocalCluster
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import Manifest, apply, exists, status_of
from tests.support.operator import OperatorProcess

PILOT = {"name": "pilot", "regions": ["westeurope"]}
REST = {"name": "rest", "regions": ["*"]}
IN_TURN = {"waves": [PILOT, REST], "progressDeadline": "30s"}


def fleet(version: str, **rollout: Any) -> Manifest:
    return claims(version, rollout={**IN_TURN, **rollout})


def serve(hub: Kubectl, places: Places, version: str, **rollout: Any) -> Manifest:
    apply(hub, fleet(version, **rollout))
    settle(places, lambda: {version_in(place) for place in places.values()} == {version})
    status: Manifest = settle(places, reason(hub, "Serving"))
    return status


def revision(hub: Kubectl) -> str:
    return revision_of(parse(exists(hub, "mfd", "claims")).spec)


def test_the_next_wave_begins_when_the_one_before_is_done_and_a_person_approves(
    operator: OperatorProcess, kubectl: Kubectl, places: Places
) -> None:
    asking = {"waves": [PILOT, {**REST, "approval": True}]}
    apply(kubectl, fleet("1", **asking))
    status = settle(places, reason(kubectl, "ApprovalNeeded"))
    assert region(status, "westeurope")["ready"]
    assert version_in(places["northeurope"]) == ""
    assert "rest" in said(kubectl, "approve", "claims")
    settle(places, reason(kubectl, "Serving"))
    apply(kubectl, fleet("2", **asking))
    status = settle(places, reason(kubectl, "ApprovalNeeded"))
    assert (version_in(places["westeurope"]), version_in(places["northeurope"])) == ("2", "1")
    assert status["rollout"]["wave"] == "rest"
    assert region(status, "northeurope")["reason"] == "ApprovalNeeded"
    said(kubectl, "approve", "claims")
    status = settle(places, reason(kubectl, "Serving"))
    assert version_in(places["northeurope"]) == "2"
    assert [entry["result"] for entry in status["history"]] == ["Succeeded", "Succeeded"]


def test_a_version_that_fails_in_the_first_wave_is_never_seen_by_the_others(
    operator: OperatorProcess, kubectl: Kubectl, places: Places
) -> None:
    serve(kubectl, places, "1")
    apply(kubectl, fleet("2"))
    status = settle(places, reason(kubectl, "RolledBack"), invalid=revision(kubectl))
    assert "westeurope" in status["message"]
    assert (version_in(places["westeurope"]), version_in(places["northeurope"])) == ("1", "1")
    north = exists(places["northeurope"], "deployment", "claims")
    assert north["metadata"]["generation"] == 1
    assert status["history"][0]["result"] == "RolledBack"
    said(kubectl, "retry", "claims")
    status = settle(places, reason(kubectl, "Serving"))
    assert (version_in(places["westeurope"]), version_in(places["northeurope"])) == ("2", "2")


def test_a_version_that_fails_in_a_later_wave_leaves_the_earlier_ones_alone_or_goes_back_everywhere(
    operator: OperatorProcess, kubectl: Kubectl, places: Places
) -> None:
    serve(kubectl, places, "1")
    apply(kubectl, fleet("2"))
    bad = {"northeurope": places["northeurope"]}
    settle(places, lambda: version_in(places["northeurope"]) == "2", among={"westeurope": places["westeurope"]})
    settle(places, reason(kubectl, "RolledBack"), invalid=revision(kubectl), among=bad)
    assert (version_in(places["westeurope"]), version_in(places["northeurope"])) == ("2", "1")
    apply(kubectl, fleet("2", rollback="All"))
    settle(places, lambda: version_in(places["westeurope"]) == "1")
    status = settle(places, reason(kubectl, "RolledBack"))
    assert [region(status, name)["stableRevision"] for name in places] == [status["history"][-1]["revision"]] * 2


def test_another_version_in_the_middle_begins_with_the_first_wave(
    operator: OperatorProcess, kubectl: Kubectl, places: Places
) -> None:
    serve(kubectl, places, "1")
    apply(kubectl, fleet("2", bake="1h"))
    settle(places, lambda: region(status_of(kubectl), "westeurope").get("rollout", {}).get("phase") == "Baking")
    apply(kubectl, fleet("3"))
    settle(places, lambda: {version_in(place) for place in places.values()} == {"3"})
    status = settle(places, reason(kubectl, "Serving"))
    assert [entry["result"] for entry in status["history"]] == ["Succeeded", "Superseded", "Succeeded"]


@pytest.fixture
def north() -> Iterator[LocalCluster]:
    """A member whose API server a test may stop."""
    cluster = LocalCluster("modelfleet-north")
    yield cluster
    cluster.resume_api()


@pytest.mark.parametrize("fault", ["stop_api", "freeze_api"])
def test_a_region_that_cannot_be_reached_is_waited_for_and_goes_on_when_it_is_back(
    operator: OperatorProcess, kubectl: Kubectl, places: Places, north: LocalCluster, fault: str
) -> None:
    serve(kubectl, places, "1")
    getattr(north, fault)()
    west = {"westeurope": places["westeurope"]}
    apply(kubectl, fleet("2"))
    status = settle(west, reason(kubectl, "RegionUnreachable"), within_s=90)
    assert region(status, "westeurope")["ready"]
    assert version_in(places["westeurope"]) == "2"
    assert region(status, "northeurope")["phase"] == "Unreachable"
    north.resume_api()
    settle(places, reason(kubectl, "Serving"), within_s=120)
    assert version_in(places["northeurope"]) == "2"


def test_a_region_that_cannot_be_reached_may_be_skipped_and_catches_up(
    operator: OperatorProcess, kubectl: Kubectl, places: Places, north: LocalCluster
) -> None:
    serve(kubectl, places, "1")
    north.stop_api()
    west = {"westeurope": places["westeurope"]}
    apply(kubectl, fleet("2", unreachable="Skip"))
    done = partial(_has_succeeded, kubectl)
    status = settle(west, done, within_s=90)
    assert region(status, "northeurope")["phase"] == "Unreachable"
    north.resume_api()
    settle(places, reason(kubectl, "Serving"), within_s=120)
    assert version_in(places["northeurope"]) == "2"


def test_a_deletion_waits_no_longer_than_it_is_told_and_what_is_left_goes_when_the_cluster_is_back(
    operator: OperatorProcess, kubectl: Kubectl, places: Places, north: LocalCluster
) -> None:
    apply(kubectl, claims(deletionTimeout="5s"))
    settle(places, reason(kubectl, "Serving"))
    north.stop_api()
    settle({"westeurope": places["westeurope"]}, reason(kubectl, "RegionUnreachable"), within_s=90)
    kubectl("delete", "mfd/claims", "--timeout=30s")
    assert "RegionLeftBehind" in kubectl("get", "events", "-o", "yaml")
    north.resume_api()
    settle(places, lambda: version_in(places["northeurope"]) == "", within_s=120)


def _has_succeeded(hub: Kubectl) -> Manifest | None:
    status = status_of(hub)
    history = status.get("history", [{}])
    return status if [entry.get("result") for entry in history] == ["Succeeded", "Succeeded"] else None
