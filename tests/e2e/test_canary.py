"""A version reaches users in steps, is judged by what it answers, and goes back by itself when it is worse."""

import asyncio
from typing import Any

import pytest

from tests.e2e.conftest import STORAGE, users
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.kubelet import pods
from tests.support.modeldeployments import (
    Manifest,
    apply,
    condition,
    model_deployment,
    read,
    ready_reason,
    status_of,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

ROLLOUT = {
    "canary": {"steps": [20, 50], "pause": "15s"},
    "analysis": {"maxErrorRate": "1%", "minRequests": 100},
    "bake": "10s",
    "progressDeadline": "2m",
}


def claims(version: str, path: str = "", **spec: Any) -> Manifest:
    uri = f"{STORAGE}/claims/{version}/{path}"
    body = model_deployment(uri=uri, version=version, replicas=4)
    body["spec"] |= {"rollout": ROLLOUT, **spec}
    return body


def serve(kubectl: Kubectl, body: Manifest) -> None:
    apply(kubectl, body)
    kubectl("wait", "--for=condition=Ready", "mfd/claims", "--timeout=300s")


def rollout(kubectl: Kubectl) -> Manifest:
    found: Manifest = status_of(kubectl).get("rollout", {})
    return found


def stable_pods(kubectl: Kubectl) -> set[str]:
    found = pods(kubectl)
    return {p["metadata"]["uid"] for p in found if p["metadata"]["labels"]["modelfleet.dev/track"] == "stable"}


async def reaches(kubectl: Kubectl, phase: str, step: int) -> Manifest:
    def look() -> Manifest:
        found = rollout(kubectl)
        assert (found.get("phase"), found.get("step")) == (phase, step), found
        return found

    return await asyncio.to_thread(lambda: eventually(look, within_s=90))


async def test_a_good_version_comes_in_steps_and_nobody_notices(kubectl: Kubectl) -> None:
    await asyncio.to_thread(serve, kubectl, claims("1"))
    async with users(kubectl) as crowd:
        await asyncio.to_thread(apply, kubectl, claims("2"))
        first = await reaches(kubectl, "Canary", 1)
        assert (first["canary"]["replicas"], first["canary"]["desiredPercent"]) == (1, 20)
        second = await reaches(kubectl, "Canary", 2)
        assert second["canary"]["replicas"] == 4
        assert second["analysis"]["outcome"] == "Pass", second
        assert 4 <= second["canary"]["requestPercent"] <= 30, second
        await asyncio.to_thread(kubectl, "wait", "--for=condition=Ready", "mfd/claims", "--timeout=300s")
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
    assert crowd.versions() == {"1", "2"}
    status = status_of(kubectl)
    assert [entry["result"] for entry in status["history"]] == ["Succeeded", "Succeeded"]
    assert "rollout" not in status
    assert read(kubectl, "deployment", "claims-canary") is None


async def test_a_version_that_answers_errors_goes_back_by_itself(kubectl: Kubectl) -> None:
    await asyncio.to_thread(serve, kubectl, claims("2"))
    before = stable_pods(kubectl)
    async with users(kubectl) as crowd:
        await asyncio.to_thread(apply, kubectl, claims("3", "model.onnx"))
        status = await asyncio.to_thread(ready_reason, kubectl, "RolledBack", within_s=180)
    assert "Too many requests fail" in status["message"], status["message"]
    assert condition(status, "Stalled")["status"] == "True"
    assert condition(status, "Available")["status"] == "True"
    assert [entry["reason"] for entry in status["rejected"]] == ["ErrorRateTooHigh"]
    assert stable_pods(kubectl) == before
    assert crowd.versions() == {"2"}
    answers = sum(outcome.sent for outcome in crowd.outcomes)
    assert 0 < crowd.failures < 0.25 * answers, list(map(str, crowd.outcomes))


async def test_a_version_that_never_becomes_ready_gets_no_request(kubectl: Kubectl) -> None:
    await asyncio.to_thread(serve, kubectl, claims("2"))
    before = stable_pods(kubectl)
    async with users(kubectl) as crowd:
        await asyncio.to_thread(apply, kubectl, claims("3"))
        status = await asyncio.to_thread(ready_reason, kubectl, "RolledBack", within_s=180)
    assert "warmup.json" in status["message"], status["message"]
    assert stable_pods(kubectl) == before
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
    assert crowd.versions() == {"2"}
