"""A version that fails nobody's request, and is worse all the same, is found by what it answers and how soon."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.e2e.conftest import CLAIMS, STORAGE, Storage, users
from tests.support.kubectl import Kubectl
from tests.support.kubelet import pods
from tests.support.modeldeployments import Manifest, apply, model_deployment, read, ready_reason
from tests.support.worse_models import slow, wrong

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

INPUT = {"name": "text", "datatype": "BYTES", "shape": [1], "data": CLAIMS[:1]}


@pytest.fixture(scope="module", autouse=True)
def worse(storage: Storage, models: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Versions of claims in the storage: one that is wrong, and one that is slow."""
    folder = tmp_path_factory.mktemp("worse")
    good = onnx.load(models / "claims/2/model.onnx")
    changes: dict[str, Callable[[onnx.ModelProto], onnx.ModelProto]] = {"wrong": wrong, "slow": slow}
    for version, change in changes.items():
        (folder / "claims" / version).mkdir(parents=True)
        onnx.save_model(change(good), folder / "claims" / version / "model.onnx")
    storage.put(folder, "models")


def claims(version: str, **analysis: Any) -> Manifest:
    rollout = {"canary": {"steps": [20], "pause": "3m"}, "analysis": analysis, "progressDeadline": "2m"}
    return model_deployment(uri=f"{STORAGE}/claims/{version}/", version=version, replicas=4, rollout=rollout)


def golden(label: int) -> Manifest:
    """A golden sample in a ConfigMap."""
    sample = {"name": "a claim", "request": {"inputs": [INPUT]}}
    sample["response"] = {"outputs": [{"name": "label", "data": [label]}]}
    data = {"claim.json": json.dumps(sample)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "golden"}, "data": data}


async def rolled_back(kubectl: Kubectl) -> Manifest:
    """The status, once the version is rejected."""
    return await asyncio.to_thread(ready_reason, kubectl, "RolledBack", within_s=300)


def serve(kubectl: Kubectl, body: Manifest) -> set[str]:
    """The uids of the pods that serve it."""
    apply(kubectl, body)
    kubectl("wait", "--for=condition=Ready", "mfd/claims", "--timeout=300s")
    return stable_pods(kubectl)


def stable_pods(kubectl: Kubectl) -> set[str]:
    found = pods(kubectl)
    return {p["metadata"]["uid"] for p in found if p["metadata"]["labels"]["modelfleet.dev/track"] == "stable"}


async def test_wrong_answers_to_golden_samples_keep_a_version_from_everybody(kubectl: Kubectl) -> None:
    smoke = {"smoke": {"configMapRef": "golden"}}
    before = await asyncio.to_thread(serve, kubectl, claims("2", **smoke))
    async with users(kubectl) as crowd:
        await asyncio.to_thread(apply, kubectl, claims("wrong", **smoke))
        await asyncio.to_thread(ready_reason, kubectl, "SamplesMissing")
        await asyncio.to_thread(apply, kubectl, golden(label=1))
        status = await rolled_back(kubectl)
    assert [entry["reason"] for entry in status["rejected"]] == ["SmokeFailed"]
    assert "outputs[0].data[0] is 0 instead of 1" in status["message"], status["message"]
    assert (crowd.failures, crowd.versions()) == (0, {"2"}), list(map(str, crowd.outcomes))
    assert stable_pods(kubectl) == before
    assert read(kubectl, "deployment", "claims-canary") is None


async def test_right_answers_to_golden_samples_let_a_version_begin(kubectl: Kubectl) -> None:
    smoke = {"smoke": {"configMapRef": "golden"}}
    apply(kubectl, golden(label=1))
    await asyncio.to_thread(serve, kubectl, claims("1", **smoke))
    await asyncio.to_thread(apply, kubectl, claims("2", **smoke))
    await asyncio.to_thread(ready_reason, kubectl, "CanaryRunning", within_s=120)


async def test_copies_of_requests_show_that_a_version_answers_otherwise(kubectl: Kubectl) -> None:
    shadow = {"shadow": {"percent": 50, "minAgreement": "99%"}}
    before = await asyncio.to_thread(serve, kubectl, claims("2", **shadow))
    async with users(kubectl, 50) as crowd:
        await asyncio.to_thread(apply, kubectl, claims("wrong", **shadow))
        status = await rolled_back(kubectl)
    assert [entry["reason"] for entry in status["rejected"]] == ["AnswersDiffer"]
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
    assert crowd.versions() == {"2", "wrong"}
    assert stable_pods(kubectl) == before


async def test_copies_of_requests_show_that_a_version_answers_the_same(kubectl: Kubectl) -> None:
    shadow = {"shadow": {"percent": 50, "minAgreement": "99%"}}
    await asyncio.to_thread(serve, kubectl, claims("2", **shadow))
    body = claims("2", **shadow)
    body["spec"]["env"] = [{"name": "NEW", "value": "1"}]
    body["spec"]["rollout"]["canary"]["pause"] = "20s"
    async with users(kubectl, 50) as crowd:
        await asyncio.to_thread(serve, kubectl, body)
    assert crowd.failures == 0, list(map(str, crowd.outcomes))


async def test_a_version_that_is_slow_goes_back(kubectl: Kubectl) -> None:
    fast = {"maxLatencyP99": "100ms", "minRequests": 50}
    before = await asyncio.to_thread(serve, kubectl, claims("2", **fast))
    async with users(kubectl, 5) as crowd:
        await asyncio.to_thread(apply, kubectl, claims("slow", **fast))
        status = await rolled_back(kubectl)
    assert [entry["reason"] for entry in status["rejected"]] == ["LatencyTooHigh"]
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
    assert stable_pods(kubectl) == before
