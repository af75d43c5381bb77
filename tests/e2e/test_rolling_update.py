"""A model's version changes while people use it, and none of them notices."""

import asyncio

import pytest

from tests.e2e.conftest import STORAGE, users
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.kubelet import pods
from tests.support.modeldeployments import Manifest, apply, condition, model_deployment, ready_reason, status_of

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


def claims(version: str, replicas: int) -> Manifest:
    return model_deployment(uri=f"{STORAGE}/claims/{version}/", version=version, replicas=replicas)


def serve(kubectl: Kubectl, version: str, replicas: int) -> None:
    """Apply a version; return when it serves and the pods of all others are gone."""
    apply(kubectl, claims(version, replicas))
    kubectl("wait", "--for=condition=Ready", "mfd/claims", "--timeout=180s")
    revision = status_of(kubectl)["revision"]
    others = f"modelfleet.dev/deployment=claims,modelfleet.dev/revision!={revision}"
    kubectl("wait", "--for=delete", "pods", f"--selector={others}", "--timeout=120s")


@pytest.mark.parametrize("replicas", [1, 3])
async def test_an_update_and_the_way_back_lose_no_request(kubectl: Kubectl, replicas: int) -> None:
    await asyncio.to_thread(serve, kubectl, "1", replicas)
    async with users(kubectl) as crowd:
        await asyncio.to_thread(serve, kubectl, "2", replicas)
        await asyncio.to_thread(serve, kubectl, "1", replicas)
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
    assert crowd.versions() == {"1", "2"}


@pytest.mark.parametrize("replicas", [1, 3])
async def test_a_version_that_fails_never_gets_a_request(kubectl: Kubectl, replicas: int) -> None:
    await asyncio.to_thread(serve, kubectl, "2", replicas)
    async with users(kubectl) as crowd:
        apply(kubectl, claims("3", replicas))
        status = await asyncio.to_thread(ready_reason, kubectl, "ModelInvalid", within_s=60)
        assert "does not answer the request in its warmup.json" in status["message"]
        assert "go on serving" in status["message"]
        assert condition(status, "Available")["status"] == "True"
        assert condition(status, "Stalled")["status"] == "True"
        await asyncio.to_thread(serve, kubectl, "2", replicas)
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
    assert crowd.versions() == {"2"}


async def test_replicas_come_and_go_without_a_failed_request(kubectl: Kubectl) -> None:
    await asyncio.to_thread(serve, kubectl, "1", 1)
    async with users(kubectl) as crowd:
        for replicas in (3, 1):
            kubectl("scale", "mfd/claims", f"--replicas={replicas}")
            await asyncio.to_thread(eventually, lambda n=replicas: len(pods(kubectl)) == n, within_s=60)
            await asyncio.to_thread(kubectl, "wait", "--for=condition=Ready", "mfd/claims", "--timeout=120s")
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
