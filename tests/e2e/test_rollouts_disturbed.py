"""A rollout ends as it would have: whoever dies, deletes, applies once more or changes their mind meanwhile."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import users
from tests.e2e.diary import diary
from tests.e2e.test_canary import claims, rollout, serve, stable_pods
from tests.e2e.test_operator_killed import running
from tests.integration.cli.test_rollouts import said
from tests.support.audit import AuditLog
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.kubelet import pods
from tests.support.modeldeployments import Manifest, apply, condition, exists, read, ready_reason, status_of
from tests.support.operator import SYSTEM

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

ROLLOUT = {
    "canary": {"steps": [20, 50], "pause": "10s"},
    "analysis": {"maxErrorRate": "1%", "minRequests": 50},
    "bake": "10s",
    "progressDeadline": "2m",
}
PATIENT = ROLLOUT | {"canary": {"steps": [20, 50], "pause": "1h"}, "bake": "1h"}
CANARY = "modelfleet.dev/track=canary"
ALL_THE_WAY = ["Canary 1", "Canary 2", "Promoting 2", "Baking 2"]


def version(number: str, path: str = "", **spec: Any) -> Manifest:
    return claims(number, path, **{"replicas": 2, "rollout": ROLLOUT, **spec})


async def history(kubectl: Kubectl, *results: str) -> Manifest:
    """The status, once these are the results of all rollouts, the newest first, and none is under way."""

    def look() -> Manifest:
        status = status_of(kubectl)
        assert [entry["result"] for entry in status.get("history", [])] == list(results), status
        assert "rollout" not in status, status
        return status

    return await asyncio.to_thread(lambda: eventually(look, within_s=240))


async def in_the_middle(kubectl: Kubectl, step: int = 1, other_than: str = "") -> str:
    """The revision whose canary is in this step with all of its pods, once there is one other than that."""

    def look() -> str:
        found = rollout(kubectl)
        assert (found.get("phase"), found.get("step"), "readySince" in found) == ("Canary", step, True), found
        assert found["revision"] != other_than
        return str(found["revision"])

    return await asyncio.to_thread(lambda: eventually(look, within_s=90))


@asynccontextmanager
async def again_and_again(do: Callable[[], None], every_s: float) -> AsyncIterator[None]:
    """Somebody who does that at this pace as long as the block lasts."""
    stop = asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            await asyncio.to_thread(do)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every_s)

    working = asyncio.create_task(work())
    try:
        yield
    finally:
        stop.set()
        await working


def place_of(found: Manifest) -> str:
    """Where a rollout is, in words; nothing if there is none."""
    ready = " ready" if "readySince" in found else ""
    return f"{found['phase']} {found['step']}{ready}" if found else ""


def leader(system: Kubectl) -> str:
    """The name of the operator's pod that leads, or did when it was killed."""
    lease = json.loads(system("get", "lease", "modelfleet-operator", "-o", "json"))
    return str(lease["spec"].get("holderIdentity", "")).partition("_")[0]


def kill(system: Kubectl, operator: str) -> None:
    """End a pod's process between any two of its lines: a kubelet asks first, even if told not to."""
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"MODELFLEET_POD_NAME={operator}\0" in environment.read_text(errors="replace"):
                os.kill(int(environment.parent.name), signal.SIGKILL)
    system("delete", "pod", operator, "--grace-period=0", "--force", "--wait=false")


def annotate(kubectl: Kubectl, verb: str, value: str) -> None:
    kubectl("annotate", "mfd/claims", f"modelfleet.dev/{verb}={value}", "--overwrite")


async def test_leaders_are_killed_wherever_a_rollout_comes_and_nothing_is_done_twice(kubectl: Kubectl) -> None:
    audit, system, killed = AuditLog.of(kubectl.kubeconfig), Kubectl(kubectl.kubeconfig, SYSTEM), []

    def kill_leader() -> None:
        """Once for each phase, step, and the moment at which a step has all of its pods."""
        place, leads = place_of(rollout(kubectl)), leader(system)
        if place and place not in killed and leads in running(system):
            kill(system, leads)
            killed.append(place)

    await asyncio.to_thread(serve, kubectl, version("1"))
    with diary(kubectl) as seen:
        async with users(kubectl) as crowd:
            await asyncio.to_thread(apply, kubectl, version("2"))
            async with again_and_again(kill_leader, every_s=0.5):
                await history(kubectl, "Succeeded", "Succeeded")
        assert seen.places() == ALL_THE_WAY
        assert seen.canary_replicas() == [1, 2]
        assert (len(seen.pods("canary")), len(seen.pods("stable"))) == (2, 2 + 2)
        assert seen.fewest_stable_pods() == 2
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
    first, second = ("Canary 1", "Canary 1 ready"), ("Canary 2", "Canary 2 ready")
    assert killed == [*first, *second, "Promoting 2", "Baking 2 ready"]
    assert audit.written_without_the_lead() == []


async def test_gitops_applies_the_same_again_and_again_and_nothing_restarts(kubectl: Kubectl) -> None:
    wanted, applied = version("1"), []

    def sync() -> None:
        kubectl("apply", "--server-side", "--field-manager=gitops", "-f", "-", stdin=json.dumps(wanted))
        applied.append(wanted)

    async with again_and_again(sync, every_s=1):
        await history(kubectl, "Succeeded")
        with diary(kubectl) as seen:
            async with users(kubectl) as good:
                wanted = version("2")
                await history(kubectl, "Succeeded", "Succeeded")
            assert seen.places() == ALL_THE_WAY
            assert (len(seen.pods("canary")), len(seen.pods("stable"))) == (2, 2 + 2)
            async with users(kubectl) as bad:
                wanted = version("3", "model.onnx")
                await history(kubectl, "RolledBack", "Succeeded", "Succeeded")
            await asyncio.to_thread(kubectl, "wait", "--for=delete", "pod", "-l", CANARY, "--timeout=90s")
            async with users(kubectl) as after:
                several = len(applied) + 5
                await asyncio.to_thread(eventually, lambda: len(applied) >= several)
            status = await asyncio.to_thread(ready_reason, kubectl, "RolledBack")
            assert seen.places() == [*ALL_THE_WAY, "Canary 1", "RollingBack 1"]
            assert (len(seen.pods("canary")), len(seen.pods("stable"))) == (2 + 1, 2 + 2)
    assert [entry["reason"] for entry in status["rejected"]] == ["ErrorRateTooHigh"]
    assert good.failures + after.failures == 0, list(map(str, good.outcomes + after.outcomes))
    assert (good.versions(), bad.versions(), after.versions()) == ({"1", "2"}, {"2"}, {"2"})
    assert bad.failures > 0


async def test_minds_change_twice_in_the_middle_of_a_step_and_stable_pods_are_not_touched(
    kubectl: Kubectl,
) -> None:
    await asyncio.to_thread(serve, kubectl, version("1"))
    before = stable_pods(kubectl)
    with diary(kubectl) as seen:
        async with users(kubectl) as crowd:
            await asyncio.to_thread(apply, kubectl, version("2"))
            first = await in_the_middle(kubectl)
            await asyncio.to_thread(apply, kubectl, version("2", env=[{"name": "TRIED", "value": "again"}]))
            await in_the_middle(kubectl, other_than=first)
            await asyncio.to_thread(apply, kubectl, version("1"))
            status = await history(kubectl, "Superseded", "Superseded", "Succeeded")
        assert seen.pods("stable") == before
        assert len(seen.pods("canary")) == 2
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
    await asyncio.to_thread(kubectl, "wait", "--for=condition=Ready", "mfd/claims", "--timeout=30s")
    assert "rejected" not in status
    assert read(kubectl, "deployment", "claims-canary") is None


async def test_people_abort_retry_and_promote_and_what_they_say_of_old_revisions_does_nothing(
    kubectl: Kubectl,
) -> None:
    await asyncio.to_thread(serve, kubectl, version("1", rollout=PATIENT))
    old, before = status_of(kubectl)["revision"], stable_pods(kubectl)
    with diary(kubectl) as seen:
        async with users(kubectl) as crowd:
            await asyncio.to_thread(annotate, kubectl, "abort", old)
            await asyncio.to_thread(eventually, lambda: "abort" in status_of(kubectl).get("commands", {}))
            assert condition(status_of(kubectl), "Ready")["status"] == "True"

            await asyncio.to_thread(apply, kubectl, version("2", rollout=PATIENT))
            new = await in_the_middle(kubectl)
            for verb in ("promote", "abort"):
                await asyncio.to_thread(annotate, kubectl, verb, f"{old}:1")
            assert f"revision {new}" in await asyncio.to_thread(said, kubectl, "abort", "claims")
            status = await history(kubectl, "RolledBack", "Succeeded")
            assert [(entry["revision"], entry["reason"]) for entry in status["rejected"]] == [(new, "Aborted")]
            assert seen.places() == ["Canary 1", "RollingBack 1"]
            assert seen.pods("stable") == before

            await asyncio.to_thread(said, kubectl, "retry", "claims")
            for step in (1, 2):
                await in_the_middle(kubectl, step)
                await asyncio.to_thread(said, kubectl, "promote", "claims")
            await asyncio.to_thread(eventually, lambda: rollout(kubectl).get("phase") == "Baking", within_s=90)
            await asyncio.to_thread(said, kubectl, "promote", "claims")
            status = await history(kubectl, "Succeeded", "RolledBack", "Succeeded")
            assert seen.places() == ["Canary 1", "RollingBack 1", *ALL_THE_WAY]
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
    assert (status["stableRevision"], status.get("rejected")) == (new, None)


async def test_canary_pods_and_the_canary_itself_are_deleted_by_hand_and_come_back(kubectl: Kubectl) -> None:
    short = {"canary": {"steps": [50], "pause": "10s"}, "analysis": ROLLOUT["analysis"]}
    await asyncio.to_thread(serve, kubectl, version("1", rollout=short))
    with diary(kubectl) as seen:
        async with users(kubectl) as crowd:
            await asyncio.to_thread(apply, kubectl, version("2", rollout=short))
            revision = await in_the_middle(kubectl)
            first = {pod["metadata"]["uid"] for pod in pods(kubectl, revision=revision)}
            kubectl("delete", "pods", "-l", "modelfleet.dev/track=canary", "--wait=false")
            await asyncio.to_thread(eventually, lambda: len(seen.pods("canary") - first) == 2)

            kubectl("delete", "deployment", "claims-canary")
            await asyncio.to_thread(exists, kubectl, "deployment", "claims-canary")
            await history(kubectl, "Succeeded", "Succeeded")
        assert seen.places() == ["Canary 1", "Promoting 1"]
        assert seen.fewest_stable_pods() == 2
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
    assert crowd.versions() == {"1", "2"}
