"""Clusters side by side: what they share, and what one does not see of another."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from local.components import PAUSE_IMAGE
from samples.upload import upload
from tests.support.clusters import LocalCluster
from tests.support.eventually import eventually
from tests.support.kubectl import KUBECTL, Kubectl

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and cgroups are for root"),
]

READER = "reader"
UID = ("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
DNS = ("get", "service", "kube-dns", "-n", "kube-system", "-o", "jsonpath={.spec.clusterIP}")
VERSION = ("get", "--raw", "/version")


@pytest.fixture(scope="session")
def from_hub(hub: LocalCluster, west: LocalCluster, north: LocalCluster) -> Kubectl:
    """kubectl in the hub, where a pod has what it needs to read in its members."""
    members = {member.name: reader_of(member) for member in (west, north)}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "members"}, "stringData": members}
    hub.kubectl("apply", "-f", "-", stdin=json.dumps(secret))
    start_pod(hub, {"name": "members", "secret": {"secretName": "members"}})
    return hub.kubectl


def reader_of(member: LocalCluster) -> str:
    """A kubeconfig with a token of a service account that may read, and nothing else."""
    member.kubectl("create", "serviceaccount", READER)
    member.kubectl(
        "create", "clusterrolebinding", READER, "--clusterrole=view", f"--serviceaccount=default:{READER}"
    )
    return member.kubeconfig_for(READER)


def start_pod(cluster: LocalCluster, *volumes: dict[str, Any]) -> None:
    """A pod with this machine's kubectl, which is one static file and speaks to any HTTP server."""
    inside = [{"name": "programs", "hostPath": {"path": str(KUBECTL.parent)}}, *volumes]
    mounts = [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in inside]
    container = {"name": "one", "image": PAUSE_IMAGE, "imagePullPolicy": "Never", "volumeMounts": mounts}
    spec = {"containers": [container], "volumes": inside, "terminationGracePeriodSeconds": 0}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=60s")


def in_pod(*arguments: str) -> list[str]:
    """kubectl's own arguments for running kubectl in the pod."""
    return ["exec", "one", "--", f"/programs/{KUBECTL.name}", "--request-timeout=3s", *arguments]


def test_each_has_addresses_and_an_identity_of_its_own(clusters: list[LocalCluster]) -> None:
    assert len({cluster.uid for cluster in clusters}) == 3
    assert len({cluster.known.network for cluster in clusters}) == 3
    assert [cluster.known.region for cluster in clusters] == ["westeurope", "westeurope", "northeurope"]


def test_a_pod_of_the_hub_reads_in_every_member_with_a_token(
    from_hub: Kubectl, west: LocalCluster, north: LocalCluster
) -> None:
    for member in (west, north):
        assert from_hub(*in_pod(f"--kubeconfig=/members/{member.name}", *UID)) == member.uid


def test_the_token_is_good_for_no_more_than_its_rights(from_hub: Kubectl, west: LocalCluster) -> None:
    create = ("create", "namespace", "another", "--dry-run=server")

    assert "forbidden" in from_hub.run(*in_pod(f"--kubeconfig=/members/{west.name}", *create)).stderr
    assert west.kubectl(*create)


def test_this_machine_reaches_the_services_of_all(hub: LocalCluster, west: LocalCluster) -> None:
    for cluster in (hub, west):
        address = cluster.kubectl(
            "get", "service", "kube-dns", "-n", "kube-system", "-o", "jsonpath={.spec.clusterIP}"
        )
        socket.create_connection((address, 53), timeout=10).close()


def test_pods_and_services_of_another_cluster_are_out_of_reach(from_hub: Kubectl, west: LocalCluster) -> None:
    service = f"--server=https://{west.known.address('0.1')}"
    way_in = f"--kubeconfig=/members/{west.name}"

    assert from_hub(*in_pod(way_in, *VERSION))
    assert "exceeded" in from_hub.run(*in_pod(way_in, service, *VERSION)).stderr
    assert west.kubectl(service, *VERSION)


def test_a_member_reads_the_blobs_of_the_hub_by_the_same_url(
    hub: LocalCluster, west: LocalCluster, tmp_path: Path
) -> None:
    (tmp_path / "greeting").write_text("from the hub")
    upload(hub.serve_storage(), tmp_path, "models")
    start_pod(west)

    west.use_storage_of(hub)

    url = "http://demo.blob.svc.cluster.local:10000"
    read = in_pod(f"--server={url}", "get", "--raw", "/models/greeting")
    assert eventually(lambda: west.kubectl(*read)) == "from the hub"
