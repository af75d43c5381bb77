"""What can be done to one cluster while the others go on."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clusters import LocalCluster
from tests.support.kubectl import Kubectl

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and cgroups are for root"),
]

READY = ("get", "--raw", "/readyz", "--request-timeout=1s")


@pytest.fixture
def member(north: LocalCluster) -> Iterator[LocalCluster]:
    yield north
    north.resume_api()


def test_a_stopped_api_refuses_connections_until_it_is_resumed(member: LocalCluster, hub: LocalCluster) -> None:
    before = member.uid

    member.stop_api()

    assert "refused" in member.kubectl.run(*READY).stderr
    assert hub.kubectl(*READY) == "ok"

    member.resume_api()

    assert member.uid == before


def test_a_frozen_api_answers_nothing_until_it_is_resumed(member: LocalCluster, hub: LocalCluster) -> None:
    before = member.uid

    member.freeze_api()

    assert "exceeded" in member.kubectl.run(*READY).stderr
    assert hub.kubectl(*READY) == "ok"

    member.resume_api()

    assert member.uid == before


def test_a_resumed_cluster_has_no_node_that_it_did_not_have(member: LocalCluster) -> None:
    member.stop_api()
    member.resume_api()

    assert not member.known.node
    assert member.kubectl("get", "nodes", "-o", "name") == ""


def test_a_rebuilt_cluster_is_another_one_at_the_same_address(member: LocalCluster, tmp_path: Path) -> None:
    known, before = member.known, member.uid
    old = tmp_path / "kubeconfig"
    old.write_bytes(member.kubeconfig.read_bytes())

    member.rebuild()

    assert member.known == known
    assert member.uid != before
    assert "certificate signed by unknown authority" in Kubectl(old).run(*READY).stderr
