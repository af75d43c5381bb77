"""Two operators whose clocks differ lead in turns, and a rollout goes its way all the same."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.diary import diary
from tests.integration.operator.test_rollouts import reconciled
from tests.support import kubelet
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import Manifest, apply, model_deployment, read, status_of
from tests.support.operator import OperatorProcess

CLOCKS = Path(__file__).parents[2] / "support/clocks"
SKEW_S, PAUSE_S, BAKE_S = 30, 45, 10
ROUNDED_S = 2
"""A status tells whole seconds, and a test sees it a moment later."""
TIMES = ("since", "until", "At", "Since", "Time")


class Turns:
    """The lead, which goes from one operator to the other and back; the clock of one of them is ahead."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self._kubeconfig, self._folder = kubeconfig, folder
        self._started: list[OperatorProcess] = []
        self.leader_is_ahead_s = 0

    def begin(self) -> None:
        """Let the one with the right clock lead."""
        self._leader = self._start(self.leader_is_ahead_s).wait_until_leading()
        self._stands_by = self._start(SKEW_S)

    def change(self) -> None:
        """Let the other one lead, and decide; the one that led stands by from now on."""
        assert self._leader.stop() == 0
        self._leader = self._stands_by.wait_until_leading()
        eventually(lambda: reconciled(self._leader))
        self._stands_by = self._start(self.leader_is_ahead_s)
        self.leader_is_ahead_s = SKEW_S - self.leader_is_ahead_s

    def end(self) -> None:
        """End both."""
        for process in self._started:
            process.kill()

    def _start(self, ahead_s: int) -> OperatorProcess:
        path = f"{CLOCKS}:{os.environ.get('PYTHONPATH', '')}"
        variables = {"PYTHONPATH": path, "CLOCK_AHEAD_S": str(ahead_s)}
        name = f"operator-{len(self._started)}"
        process = OperatorProcess.start(self._kubeconfig, self._folder, pod_name=name, variables=variables)
        self._started.append(process)
        return process


@pytest.fixture
def turns(operator_kubeconfig: Path, tmp_path: Path) -> Iterator[Turns]:
    found = Turns(operator_kubeconfig, tmp_path)
    yield found
    found.end()


def claims(version: str, pause_s: int = PAUSE_S) -> Manifest:
    rollout = {"canary": {"steps": [20, 50], "pause": f"{pause_s}s"}, "bake": f"{BAKE_S}s"}
    return model_deployment(version=version, replicas=2, rollout=rollout)


def reaches(kubectl: Kubectl, phase: str, step: int) -> tuple[Manifest, float]:
    """The rollout, once it has come there and its pods are ready, and when (time.monotonic) that was."""

    def look() -> tuple[Manifest, float]:
        for pod in kubelet.pods(kubectl):
            kubelet.patch_status(kubectl, pod, kubelet.READY)
        found = status_of(kubectl).get("rollout", {})
        assert (found.get("phase"), found.get("step"), "readySince" in found) == (phase, step, True), found
        return found, time.monotonic()

    return eventually(look, within_s=2 * PAUSE_S)


def succeeds(kubectl: Kubectl) -> float:
    """When (time.monotonic) both rollouts have ended well, each told of once, and none is left."""

    def look() -> float:
        status = status_of(kubectl)
        assert [entry["result"] for entry in status["history"]] == ["Succeeded", "Succeeded"], status
        assert "rollout" not in status, status
        return time.monotonic()

    return eventually(look, within_s=2 * PAUSE_S)


def times(told: Any, name: str = "") -> Iterator[datetime]:
    """Every time that a status tells."""
    if isinstance(told, dict):
        for key, value in told.items():
            yield from times(value, key)
    elif isinstance(told, list):
        for value in told:
            yield from times(value, name)
    elif name.endswith(TIMES):
        yield datetime.fromisoformat(told)


def seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def test_the_lead_goes_back_and_forth_and_no_step_is_shorter_than_asked_by_more_than_the_clocks_differ(
    kubectl: Kubectl, turns: Turns
) -> None:
    turns.begin()
    apply(kubectl, claims("1"))
    kubelet.settle(kubectl, within_s=60)
    with diary(kubectl) as seen:
        apply(kubectl, claims("2"))
        first, at_first = reaches(kubectl, "Canary", 1)
        turns.change()
        second, at_second = reaches(kubectl, "Canary", 2)
        ahead_s = seconds(datetime.now(UTC).isoformat(), second["readySince"])

        turns.change()
        turns.change()
        apply(kubectl, claims("2", pause_s=5))
        _, at_bake = reaches(kubectl, "Baking", 2)
        turns.change()
        turns.change()
        baked = succeeds(kubectl) - at_bake

        assert seen.places() == ["Canary 1", "Canary 2", "Promoting 2", "Baking 2"]
        assert (len(seen.pods("canary")), len(seen.pods("stable"))) == (2, 2 + 2)
        statuses = [body.get("status", {}) for body in seen.versions("modeldeployments")]
    assert ahead_s > SKEW_S / 2, "nothing was wrong with the clocks"
    assert seconds(first["readySince"], second["since"]) >= PAUSE_S
    assert at_second - at_first >= PAUSE_S - SKEW_S - ROUNDED_S
    assert baked >= BAKE_S - ROUNDED_S
    assert {moment.tzinfo for moment in times(statuses)} == {UTC}
    assert read(kubectl, "deployment", "claims-canary") is None
