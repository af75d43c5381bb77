"""Three hundred requests a second while a version changes, on a quiet day and on others: each gets an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import groupby
from typing import Any

import pytest

from tests.e2e.conftest import endpoint
from tests.e2e.diary import Diary, diary
from tests.e2e.test_canary import claims, serve
from tests.e2e.test_operator_killed import running
from tests.e2e.test_rollouts_disturbed import history, in_the_middle
from tests.support.crowds import asking
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.kubelet import pods
from tests.support.modeldeployments import Manifest, apply, exists, read, read_all
from tests.support.operator import SYSTEM

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

RATE_PER_S = 300
KEPT = {"residents_per_s": 200, "visitors_per_s": 100}
ONE_FOR_EACH_REQUEST = {"strangers_per_s": 300}
ALL_KINDS = {"residents_per_s": 100, "visitors_per_s": 100, "strangers_per_s": 100}
AUTOSCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "claims"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "claims"},
        "minReplicas": 2,
        "maxReplicas": 4,
    },
}


def version(number: str, steps: list[int], *, pause: str = "5s", **spec: Any) -> Manifest:
    rollout = {
        "canary": {"steps": steps, "pause": pause},
        "analysis": {"maxErrorRate": "1%", "minRequests": 100},
        "bake": "5s",
        "progressDeadline": "2m",
    }
    return claims(number, rollout=rollout, **spec)


@asynccontextmanager
async def unnoticed(kubectl: Kubectl, kinds: dict[str, int]) -> AsyncIterator[None]:
    """Users of these kinds as long as the block lasts: all get answers, first of one version and then of two."""
    async with asking(endpoint(kubectl), **kinds) as crowd:
        yield
    assert crowd.failures == 0, str(crowd)
    assert crowd.rate_per_s > 0.8 * RATE_PER_S, str(crowd)  # a busy machine may be a little late
    assert crowd.versions() == {"1", "2"}


async def is_over(kubectl: Kubectl) -> None:
    """Wait until both rollouts have ended well and nothing of them is left."""
    await history(kubectl, "Succeeded", "Succeeded")
    assert read(kubectl, "deployment", "claims-canary") is None
    await asyncio.to_thread(eventually, lambda: all_stay(kubectl), within_s=60)


def all_stay(kubectl: Kubectl) -> bool:
    """Whether there is no pod but those that are to be there: none that has yet to take leave of its users."""
    wanted: int = exists(kubectl, "deployment", "claims")["spec"]["replicas"]
    return len(read_all(kubectl, "pods")) == len(pods(kubectl)) == wanted


async def scale(kubectl: Kubectl, stable: int, *, canary: int) -> None:
    """Scale the stable pods as an autoscaler does; there will be so many canary pods."""

    def ready() -> bool:
        found = (exists(kubectl, "deployment", name)["status"] for name in ("claims", "claims-canary"))
        return [status.get("readyReplicas") for status in found] == [stable, canary]

    await asyncio.to_thread(kubectl, "scale", "deployment/claims", f"--replicas={stable}")
    await asyncio.to_thread(eventually, ready, within_s=60)


async def drain(kubectl: Kubectl) -> None:
    """Evict all that runs on the node, as its administrator does; what replaces it finds room on the same node."""
    node = kubectl("get", "nodes", "-o", "name").strip()
    options = ("--delete-emptydir-data", "--force", "--timeout=200s")
    draining = asyncio.create_task(asyncio.to_thread(kubectl, "drain", node, *options))
    is_cordoned = ("get", node, "-o", "jsonpath={.spec.unschedulable}")
    await asyncio.to_thread(eventually, lambda: kubectl(*is_cordoned))
    await asyncio.to_thread(kubectl, "uncordon", node)
    await draining


def asked_for(seen: Diary, deployment: str) -> list[int]:
    """How many pods a Deployment was to have, one entry for each change."""
    found = (body["spec"]["replicas"] for body in seen.versions("deployments", deployment))
    return [replicas for replicas, _ in groupby(found)]


def fewest_ready(seen: Diary) -> int:
    """The smallest number of stable pods that were ready, whether long enough to count as available or not."""
    return min(int(body["status"].get("readyReplicas", 0)) for body in seen.versions("deployments", "claims"))


@pytest.mark.parametrize("connections", [KEPT, ONE_FOR_EACH_REQUEST], ids=["kept_connections", "new_connections"])
@pytest.mark.parametrize(("replicas", "steps"), [(1, [50]), (4, [20, 50])], ids=["one_pod", "four_pods"])
async def test_a_version_changes_in_steps_and_every_request_is_answered(
    kubectl: Kubectl, replicas: int, steps: list[int], connections: dict[str, int]
) -> None:
    await asyncio.to_thread(serve, kubectl, version("1", steps, replicas=replicas))
    async with unnoticed(kubectl, connections):
        await asyncio.to_thread(apply, kubectl, version("2", steps, replicas=replicas))
        await is_over(kubectl)


async def test_the_node_is_drained_in_the_middle_of_a_step(kubectl: Kubectl) -> None:
    system = Kubectl(kubectl.kubeconfig, SYSTEM)
    await asyncio.to_thread(serve, kubectl, version("1", [50], replicas=2))
    with diary(kubectl) as seen:
        async with unnoticed(kubectl, ALL_KINDS):
            await asyncio.to_thread(apply, kubectl, version("2", [50], replicas=2, pause="1h"))
            await in_the_middle(kubectl)
            operators = set(running(system))
            await drain(kubectl)
            assert operators.isdisjoint(running(system))
            await asyncio.to_thread(apply, kubectl, version("2", [50], replicas=2))
            await is_over(kubectl)
        assert seen.places() == ["Canary 1", "Promoting 1", "Baking 1"]
        assert (len(seen.pods("canary")), len(seen.pods("stable"))) == (2 + 2, 2 + 2 + 2)
        assert fewest_ready(seen) == 2 - 1


async def test_an_autoscaler_changes_the_stable_pods_in_the_middle_of_a_step_and_the_canary_follows(
    kubectl: Kubectl,
) -> None:
    await asyncio.to_thread(serve, kubectl, version("1", [40], replicas=2))
    await asyncio.to_thread(apply, kubectl, AUTOSCALER)
    with diary(kubectl) as seen:
        async with unnoticed(kubectl, ALL_KINDS):
            await asyncio.to_thread(apply, kubectl, version("2", [40], replicas=2, pause="1h"))
            await in_the_middle(kubectl)
            await scale(kubectl, 4, canary=3)
            await scale(kubectl, 3, canary=2)
            await asyncio.to_thread(apply, kubectl, version("2", [40], replicas=2))
            await is_over(kubectl)
        assert asked_for(seen, "claims") == [2, 4, 3]
        assert asked_for(seen, "claims-canary") == [2, 3, 2]
        assert seen.places() == ["Canary 1", "Promoting 1", "Baking 1"]
        assert seen.fewest_stable_pods() == 2
