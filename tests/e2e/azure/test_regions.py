"""Three clusters, one object: a version comes to users region by region, and a bad one to no more than one.

The clusters are members by all three formats. One is described by a ClusterProfile, and so signed in to by way of
Microsoft Entra; the Entra of these tests gives a token that the member takes, as AKS takes Entra's.
"""

import asyncio
import json
import subprocess
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from modelfleet.core.inventory.member import AKS_SERVER_ID
from tests.e2e.azure.conftest import OPERATOR, Site
from tests.e2e.conftest import CLUSTER, STORAGE, Storage, Users, users
from tests.e2e.diary import diary
from tests.integration.cli.test_rollouts import COMMAND, environment, said
from tests.integration.regions.fleet import region, version_in
from tests.support.clusters import LocalCluster
from tests.support.definitions import install_cluster_profiles
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import Manifest, apply, condition, model_deployment, ready_reason, status_of
from tests.support.operator import SYSTEM

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

HUB, WEST, NORTH = (LocalCluster(CLUSTER + end) for end in ("", "-west", "-north"))
ROLLOUT = {
    "canary": {"steps": [50], "pause": "10s"},
    "analysis": {"maxErrorRate": "1%", "minRequests": 50},
    "bake": "5s",
    "progressDeadline": "2m",
    "waves": [{"name": "pilot", "regions": ["westeurope"]}, {"name": "rest", "regions": ["*"], "approval": True}],
}
PROFILES = {
    "MODELFLEET_CLUSTER_PROFILES_NAMESPACE": SYSTEM,
    "MODELFLEET_ACCESS_PROVIDERS": "fleet=azure-workload-identity",
}
ARGOCD = "argocd.argoproj.io/secret-type=cluster"
Places = Mapping[str, Kubectl]


def claims(number: str, path: str = "") -> Manifest:
    body = model_deployment(uri=f"{STORAGE}/claims/{number}/{path}", version=number, replicas=2, rollout=ROLLOUT)
    body["spec"]["regions"] = [{"name": name} for name in ("westeurope", "northeurope", "eastus")]
    return body


@pytest.fixture(scope="module")
def regions(storage: Storage, site: Site) -> Iterator[dict[str, LocalCluster]]:
    """Clusters by their regions: one of Cluster API, one of a ClusterProfile, and the hub itself as of Argo CD."""
    system = Kubectl(HUB.kubeconfig, SYSTEM)
    install_cluster_profiles(system)
    system("set", "env", OPERATOR, *(f"{name}={value}" for name, value in PROFILES.items()))
    system("rollout", "status", OPERATOR, "--timeout=300s")
    try:
        for member, name in ((WEST, "westeurope"), (NORTH, "northeurope")):
            member.up(name)
            member.load_images("server")
            member.use_storage_of(HUB)
            join(member, name)
        system("delete", "secret", "-l", ARGOCD)
        describe_as_cluster_api_does(system, WEST, "westeurope")
        describe_as_fleet_managers_do(system, NORTH, "northeurope", site)
        describe_itself(system, "eastus")
        yield {"westeurope": WEST, "northeurope": NORTH, "eastus": HUB}
        system("delete", "secret,clusterprofile", "-l", "topology.kubernetes.io/region")
    finally:
        for member in (WEST, NORTH):
            member.down()


def join(member: LocalCluster, name: str) -> None:
    """Give the hub the least rights in the member, as a platform engineer does."""
    context = Kubectl(member.kubeconfig)("config", "current-context").strip()
    options = ["--argocd", SYSTEM, "--region", name, "--member-kubeconfig", str(member.kubeconfig)]
    command = [*COMMAND, "cluster", "join", member.name, *options, "--member-context", context]
    joined = subprocess.run(command, env=environment(HUB.kubectl), check=True, stdout=subprocess.PIPE, text=True)
    assert "all that are needed" in joined.stdout


def describe_as_cluster_api_does(system: Kubectl, member: LocalCluster, name: str) -> None:
    kubeconfig = member.kubeconfig_for("modelfleet-hub", SYSTEM)
    labels = {"cluster.x-k8s.io/cluster-name": member.name, "topology.kubernetes.io/region": name}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "cluster.x-k8s.io/secret",
        "metadata": {"name": f"{member.name}-kubeconfig", "labels": labels},
        "data": {"value": b64encode(kubeconfig.encode()).decode()},
    }
    apply(system, secret)


def describe_as_fleet_managers_do(system: Kubectl, member: LocalCluster, name: str, site: Site) -> None:
    """Say where the member is; who is to sign in there, the operator's own settings say."""
    site.cloud.control.entra.gives[AKS_SERVER_ID] = member.token_for("modelfleet-hub", SYSTEM)
    cluster = json.loads(member.kubeconfig.read_text())["clusters"][0]["cluster"]
    profile = {
        "apiVersion": "multicluster.x-k8s.io/v1alpha1",
        "kind": "ClusterProfile",
        "metadata": {"name": member.name, "labels": {"topology.kubernetes.io/region": name}},
        "status": {"accessProviders": [{"name": "fleet", "cluster": cluster}]},
    }
    apply(system, profile)


def describe_itself(system: Kubectl, name: str) -> None:
    """Have the hub be a member too, as Argo CD's in-cluster entry says it."""
    labels = {"argocd.argoproj.io/secret-type": "cluster", "topology.kubernetes.io/region": name}
    data = {"name": "in-cluster", "server": "https://kubernetes.default.svc", "config": "{}"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "in-cluster", "labels": labels}}
    apply(system, {**secret, "stringData": data})


@pytest.fixture
def places(kubectl: Kubectl, regions: dict[str, LocalCluster]) -> dict[str, Kubectl]:
    """kubectl in the namespace of the test, in each region; it goes with its cluster."""
    for member in (WEST, NORTH):
        Kubectl(member.kubeconfig)("create", "namespace", kubectl.namespace)
    return {name: Kubectl(cluster.kubeconfig, kubectl.namespace) for name, cluster in regions.items()}


@asynccontextmanager
async def users_of(places: Places) -> AsyncIterator[dict[str, Users]]:
    """Two crowds of 50 requests a second in each region as long as the block lasts."""
    async with AsyncExitStack() as crowds:
        yield {name: await crowds.enter_async_context(users(place, 50)) for name, place in places.items()}


async def becomes(kubectl: Kubectl, reason: str) -> Manifest:
    return await asyncio.to_thread(ready_reason, kubectl, reason, within_s=240)


async def approve(kubectl: Kubectl) -> None:
    await becomes(kubectl, "ApprovalNeeded")
    await asyncio.to_thread(said, kubectl, "approve", "claims")


def versions(places: Places) -> dict[str, str]:
    return {name: version_in(place) for name, place in places.items()}


def contradictions(status: Manifest) -> Iterator[str]:
    """What a status says that cannot be so at once."""
    regions, target = status.get("regions", []), status.get("revision")
    ready = sum(entry["ready"] for entry in regions)
    if status.get("regionsReady", f"{ready}/{len(regions)}") != f"{ready}/{len(regions)}":
        yield "another number of regions is ready"
    if condition(status, "Ready").get("status") == "True" and {r["stableRevision"] for r in regions} != {target}:
        yield "it is ready, and not all regions serve the target"
    pilot = region(status, "westeurope") if regions else {}
    done = [entry["revision"] for entry in pilot.get("history", []) if entry["result"] == "Succeeded"]
    begun = [r["name"] for r in regions[1:] if r.get("rollout", {}).get("revision") == target]
    if begun and target not in done:
        yield f"{begun} began before the pilot was done"


async def test_a_version_comes_in_waves_and_a_bad_one_stays_in_the_first_region(
    kubectl: Kubectl, places: dict[str, Kubectl]
) -> None:
    with diary(kubectl) as seen:
        await tell_of_waves(kubectl, places)
        statuses = [body.get("status", {}) for body in seen.versions("modeldeployments", "claims")]
    assert [found for status in statuses for found in contradictions(status)] == []
    told = [entry["stableRevision"] for entry in statuses[-1]["regions"]]
    assert len(set(told)) == 1


async def tell_of_waves(kubectl: Kubectl, places: dict[str, Kubectl]) -> None:
    await asyncio.to_thread(apply, kubectl, claims("1"))
    await approve(kubectl)
    status = await becomes(kubectl, "Serving")
    assert status["regionsReady"] == "3/3"

    async with users_of(places) as good:
        await asyncio.to_thread(apply, kubectl, claims("2"))
        status = await becomes(kubectl, "ApprovalNeeded")
        assert versions(places) == {"westeurope": "2", "northeurope": "1", "eastus": "1"}
        assert region(status, "westeurope")["history"][0]["result"] == "Succeeded"
        await approve(kubectl)
        await becomes(kubectl, "Serving")
    assert versions(places) == dict.fromkeys(places, "2")
    for name, crowd in good.items():
        assert crowd.failures == 0, (name, list(map(str, crowd.outcomes)))
        assert crowd.versions() == {"1", "2"}

    async with users_of(places) as bad:
        await asyncio.to_thread(apply, kubectl, claims("3", "model.onnx"))
        status = await becomes(kubectl, "RolledBack")
    assert "westeurope" in status["message"]
    assert versions(places) == dict.fromkeys(places, "2")
    assert bad["westeurope"].failures > 0
    for name in ("northeurope", "eastus"):
        assert bad[name].failures == 0, (name, list(map(str, bad[name].outcomes)))
        assert bad[name].versions() == {"2"}


async def test_regions_go_on_while_the_api_server_of_one_hangs(
    kubectl: Kubectl, places: dict[str, Kubectl]
) -> None:
    await asyncio.to_thread(apply, kubectl, claims("1"))
    await approve(kubectl)
    await becomes(kubectl, "Serving")
    north = {"northeurope": places["northeurope"]}
    others = {name: place for name, place in places.items() if name not in north}
    async with users_of(others) as crowds:
        async with users_of(north) as cut_off:
            await asyncio.to_thread(NORTH.freeze_api)
            await asyncio.to_thread(apply, kubectl, claims("2"))
            await approve(kubectl)
            done = {"westeurope": "2", "eastus": "2"}
            await asyncio.to_thread(eventually, lambda: versions(others) == done, within_s=240)
            status = await becomes(kubectl, "RegionUnreachable")
            assert region(status, "northeurope")["phase"] == "Unreachable"
        await asyncio.to_thread(NORTH.resume_api)
        # Not counted in between: what its own nodes have missed is nothing that a hub could make up for.
        await asyncio.to_thread(eventually, lambda: is_changing(kubectl, "northeurope"), within_s=240)
        async with users_of(north) as back:
            await becomes(kubectl, "Serving")
    assert versions(places) == dict.fromkeys(places, "2")
    for name, crowd in [*crowds.items(), *cut_off.items(), *back.items()]:
        assert crowd.failures == 0, (name, list(map(str, crowd.outcomes)))
    assert cut_off["northeurope"].versions() == {"1"}
    assert [entry["result"] for entry in status_of(kubectl)["history"]] == ["Succeeded", "Succeeded"]


def is_changing(kubectl: Kubectl, name: str) -> bool:
    status = status_of(kubectl)
    return bool(region(status, name).get("rollout", {}).get("revision") == status["revision"])
