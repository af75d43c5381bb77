"""A rollout ends as it would have, whoever dies or changes their mind meanwhile."""

import asyncio
import random

import pytest

from tests.e2e.conftest import users
from tests.e2e.test_canary import claims, reaches, rollout, serve, stable_pods
from tests.e2e.test_operator_killed import kill_one
from tests.support.audit import AuditLog
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import Manifest, apply, read, status_of
from tests.support.operator import SYSTEM

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

ORDER = ["Canary 1", "Canary 2", "Promoting 2", "Baking 2"]


def place(entry: Manifest) -> str:
    """The phase and step of a rollout, as one word."""
    return f"{entry['phase']} {entry.get('step', '')}"


async def test_the_operator_is_killed_at_every_phase_and_no_step_is_repeated(kubectl: Kubectl) -> None:
    audit = AuditLog.of(kubectl.kubeconfig)
    system, dice = Kubectl(kubectl.kubeconfig, SYSTEM), random.Random(20261123)
    await asyncio.to_thread(serve, kubectl, claims("1"))
    seen: list[str] = []
    async with users(kubectl) as crowd:
        await asyncio.to_thread(apply, kubectl, claims("2"))
        while (found := await asyncio.to_thread(next_place, kubectl, seen)) is not None:
            seen.append(found)
            await asyncio.to_thread(kill_one, system, dice)
        await asyncio.to_thread(kubectl, "wait", "--for=condition=Ready", "mfd/claims", "--timeout=180s")
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
    assert seen == sorted(seen, key=ORDER.index)
    assert seen[0] == ORDER[0]
    assert [entry["result"] for entry in status_of(kubectl)["history"]] == ["Succeeded", "Succeeded"]
    assert audit.written_without_the_lead() == []


def next_place(kubectl: Kubectl, seen: list[str]) -> str | None:
    """Where the rollout has come to that it was not at before; None when it is over."""

    def look() -> list[str | None]:
        status = status_of(kubectl)
        if "rollout" not in status:
            return [None] if len(status["history"]) == 2 else []
        return [found] if (found := place(status["rollout"])) not in seen else []

    return eventually(look, within_s=180)[0]


async def test_another_version_and_the_way_back_in_the_middle_of_a_step(kubectl: Kubectl) -> None:
    await asyncio.to_thread(serve, kubectl, claims("1"))
    before = stable_pods(kubectl)
    async with users(kubectl) as crowd:
        await asyncio.to_thread(apply, kubectl, claims("2"))
        first = await reaches(kubectl, "Canary", 1)
        changed = claims("2", env=[{"name": "LOG_LEVEL", "value": "debug"}])
        await asyncio.to_thread(apply, kubectl, changed)
        await asyncio.to_thread(
            eventually, lambda: rollout(kubectl).get("revision", "") not in {"", first["revision"]}
        )
        await asyncio.to_thread(serve, kubectl, claims("1"))
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
    assert stable_pods(kubectl) == before
    assert read(kubectl, "deployment", "claims-canary") is None
    assert [entry["result"] for entry in status_of(kubectl)["history"]] == [
        "Superseded",
        "Superseded",
        "Succeeded",
    ]
