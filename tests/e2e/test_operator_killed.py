"""The operator's pods die at any moment; rollouts end as they would have, and only one leads at a time."""

import asyncio
import json
import random

import pytest

from tests.e2e.conftest import STORAGE, users
from tests.e2e.test_rolling_update import serve
from tests.support.audit import AuditLog
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import apply, model_deployment, status_of
from tests.support.operator import SYSTEM

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

KILLS = 10
POD = "app.kubernetes.io/name=modelfleet-operator"


def running(system: Kubectl) -> list[str]:
    """The operator's pods that run."""
    pods = json.loads(system("get", "pods", "-l", POD, "-o", "json"))["items"]
    return [p["metadata"]["name"] for p in pods if p["status"].get("phase") == "Running"]


def kill_one(system: Kubectl, dice: random.Random) -> None:
    """Kill one of the two pods without a word of warning, and wait until there are two again."""
    victim = dice.choice(eventually(lambda: running(system)))
    system("delete", "pod", victim, "--grace-period=0", "--force")
    eventually(lambda: len(running(system)) >= 2, within_s=60)


async def test_ten_kills_during_updates_lose_no_request(kubectl: Kubectl) -> None:
    audit = AuditLog.of(kubectl.kubeconfig)
    system, dice = Kubectl(kubectl.kubeconfig, SYSTEM), random.Random(20261122)
    await asyncio.to_thread(serve, kubectl, "1", 2)
    async with users(kubectl) as crowd:
        for number in range(KILLS):
            version = "2" if number % 2 == 0 else "1"
            apply(kubectl, model_deployment(uri=f"{STORAGE}/claims/{version}/", version=version, replicas=2))
            await asyncio.to_thread(kill_one, system, dice)
        await asyncio.to_thread(serve, kubectl, "2", 2)
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
    assert status_of(kubectl)["models"][0]["version"] == "2"
    assert audit.written_without_the_lead() == []
