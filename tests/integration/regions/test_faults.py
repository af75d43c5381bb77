"""Whatever happens to a member in the middle of a change: others go on, nothing is deleted, and it ends right.

That one refuses connections or hangs is in test_waves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.integration.cli.test_rollouts import said
from tests.integration.regions.conftest import VARIABLES
from tests.integration.regions.fleet import Places, claims, reason, region, settle, version_in
from tests.support.clusters import LocalCluster
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.members import ACCOUNT, RIGHTS, Member, description, grant
from tests.support.modeldeployments import Manifest, apply, condition, exists, ready_reason, status_of
from tests.support.operator import SYSTEM, OperatorProcess

NORTH = "northeurope"
WAVES = [{"name": "pilot", "regions": ["westeurope"]}, {"name": "rest", "regions": ["*"], "approval": True}]
LOST_S = 90.0
"""How long it takes at most until a member is given up, and until it is asked again."""


def fleet(version: str) -> Manifest:
    return claims(version, rollout={"waves": WAVES, "progressDeadline": "60s"})


@pytest.fixture
def half_way(operator: OperatorProcess, kubectl: Kubectl, places: Places) -> Kubectl:
    """kubectl where version 2 is served in the first region, and waits to be let into the second."""
    apply(kubectl, fleet("1"))
    settle(places, reason(kubectl, "ApprovalNeeded"))
    said(kubectl, "approve", "claims")
    settle(places, reason(kubectl, "Serving"))
    apply(kubectl, fleet("2"))
    settle(places, reason(kubectl, "ApprovalNeeded"))
    assert (version_in(places["westeurope"]), version_in(places[NORTH])) == ("2", "1")
    return kubectl


@pytest.fixture
def hub(control_plane: object, kubectl: Kubectl) -> Kubectl:
    """kubectl in the hub's own namespace."""
    return Kubectl(kubectl.kubeconfig, SYSTEM)


Fault = Callable[[Kubectl, Member], AbstractContextManager[None]]


@contextmanager
def struck(_: Kubectl, member: Member, strike: Callable[[LocalCluster], None]) -> Iterator[None]:
    """Something befalls the API server of a member as long as the block lasts."""
    cluster = LocalCluster(member.name)
    strike(cluster)
    try:
        yield
    finally:
        cluster.resume_api()


@contextmanager
def rotates_its_token(hub: Kubectl, member: Member) -> Iterator[None]:
    """The account is another one, so that the token that the hub has is worth nothing any more."""
    member.kubectl(SYSTEM)("delete", "serviceaccount", ACCOUNT)
    grant(member)
    try:
        yield
    finally:
        hub("apply", "-f", "-", stdin=json.dumps(description(member)))


FAULTS: dict[str, Fault] = {
    "throttles": partial(struck, strike=partial(LocalCluster.answer_with, status=429)),
    "fails": partial(struck, strike=partial(LocalCluster.answer_with, status=503)),
    "rotates its token": rotates_its_token,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_member_that_cannot_be_used_is_waited_for(
    half_way: Kubectl, places: Places, hub: Kubectl, joined: dict[str, Member], fault: Fault
) -> None:
    before = exists(places[NORTH], "deployment", "claims")
    with fault(hub, joined[NORTH]):
        eventually(lambda: region(status_of(half_way), NORTH)["phase"] == "Unreachable", within_s=LOST_S)
        said(half_way, "approve", "claims")
        status = ready_reason(half_way, "RegionUnreachable", within_s=LOST_S)
        assert region(status, "westeurope")["ready"]
        assert region(status, NORTH)["stableRevision"] != status["revision"]
    settle(places, reason(half_way, "Serving"), within_s=LOST_S)
    assert exists(places[NORTH], "deployment", "claims")["metadata"]["uid"] == before["metadata"]["uid"]
    assert version_in(places[NORTH]) == "2"


def test_a_member_that_is_described_no_more_is_left_alone_until_it_is_again(
    half_way: Kubectl, places: Places, hub: Kubectl, joined: dict[str, Member]
) -> None:
    before = exists(places[NORTH], "deployment", "claims")
    hub("delete", "secret", joined[NORTH].name)
    eventually(lambda: region(status_of(half_way), NORTH)["phase"] == "Detached", within_s=LOST_S)
    said(half_way, "approve", "claims")
    eventually(lambda: condition(status_of(half_way), "Ready")["reason"] != "ApprovalNeeded")
    assert exists(places[NORTH], "deployment", "claims")["metadata"]["generation"] == 1
    hub("apply", "-f", "-", stdin=json.dumps(description(joined[NORTH])))
    settle(places, reason(half_way, "Serving"), within_s=LOST_S)
    assert exists(places[NORTH], "deployment", "claims")["metadata"]["uid"] == before["metadata"]["uid"]


def test_descriptions_that_cannot_be_read_stop_nothing(half_way: Kubectl, places: Places, hub: Kubectl) -> None:
    hub("delete", "-f", RIGHTS)
    try:
        said(half_way, "approve", "claims")
        settle(places, reason(half_way, "Serving"))
    finally:
        hub("apply", "-f", RIGHTS)
    assert version_in(places[NORTH]) == "2"


def test_a_member_that_was_rebuilt_gets_everything_anew(
    half_way: Kubectl, places: Places, hub: Kubectl, joined: dict[str, Member]
) -> None:
    LocalCluster(joined[NORTH].name).rebuild()
    grant(joined[NORTH])
    joined[NORTH].kubectl()("create", "namespace", half_way.namespace)
    hub("apply", "-f", "-", stdin=json.dumps(description(joined[NORTH])))
    said(half_way, "approve", "claims")
    settle(places, lambda: version_in(places[NORTH]) == "2", within_s=LOST_S)
    status = settle(places, reason(half_way, "Serving"))
    assert region(status, NORTH)["clusterUID"] == LocalCluster(joined[NORTH].name).uid


def test_an_operator_that_is_killed_in_the_middle_is_followed_by_one_that_goes_on(
    half_way: Kubectl, places: Places, operator_kubeconfig: Path, operator: OperatorProcess
) -> None:
    said(half_way, "approve", "claims")
    eventually(lambda: version_in(places[NORTH]) == "2")
    operator.kill()
    operator.process = OperatorProcess.start(operator_kubeconfig, operator.log.parent, variables=VARIABLES).process
    settle(places, reason(half_way, "Serving"))
    assert [entry["result"] for entry in status_of(half_way)["history"]] == ["Succeeded", "Succeeded"]
