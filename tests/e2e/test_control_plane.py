"""The API server dies and its store forgets the history of all objects, in the middle of a rollout."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.e2e.diary import KINDS, Diary
from tests.e2e.test_canary import rollout, serve
from tests.e2e.test_rollouts_disturbed import ALL_THE_WAY, again_and_again, place_of
from tests.e2e.test_rollouts_under_load import ALL_KINDS, is_over, unnoticed, version
from tests.support.audit import AuditLog
from tests.support.control_plane import ControlPlane
from tests.support.kubectl import KUBECTL, Kubectl
from tests.support.modeldeployments import apply

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

STRUCK = ["Canary 1 ready", "Canary 2 ready"]
"""Not while pods end: kube-proxy waits longer after each failure, and may hear of it when they are gone."""
AGAIN_AND_AGAIN = 'while :; do "$@"; sleep 0.1; done'


@contextmanager
def diary(kubectl: Kubectl) -> Iterator[Diary]:
    """A diary whose watches begin anew when the API server has ended them."""
    told = (f"--kubeconfig={kubectl.kubeconfig}", f"--namespace={kubectl.namespace}")
    options = ("--watch", "--output-watch-events", "-o", "json")
    watches = []
    with TemporaryDirectory() as folder:
        try:
            for kind in KINDS:
                command = ["sh", "-c", AGAIN_AND_AGAIN, "sh", str(KUBECTL), *told, "get", kind, *options]
                with (Path(folder) / kind).open("wb") as seen:
                    watches.append(
                        subprocess.Popen(command, stdout=seen, stderr=subprocess.DEVNULL, start_new_session=True)
                    )
            yield Diary(Path(folder), kubectl)
        finally:
            for watch in watches:
                os.killpg(watch.pid, signal.SIGKILL)
                watch.wait()


def relisted(audit: AuditLog) -> set[str]:
    """The resources that the operator listed anew, for no watch could tell any more what became of them."""
    return {entry["objectRef"]["resource"] for entry in audit.entries() if entry["verb"] == "list"}


async def test_the_api_server_dies_and_all_watches_are_lost_in_each_step(kubectl: Kubectl) -> None:
    control_plane, struck = ControlPlane(kubectl.kubeconfig), []

    def strike() -> None:
        """Once in each step, as soon as it has all of its pods."""
        if (place := place_of(rollout(kubectl))) in STRUCK and place not in struck:
            control_plane.kill_api_server()
            control_plane.forget_history()
            control_plane.start_again()
            struck.append(place)

    await asyncio.to_thread(serve, kubectl, version("1", [20, 50], replicas=2))
    audit = AuditLog.of(kubectl.kubeconfig)
    with diary(kubectl) as seen:
        async with unnoticed(kubectl, ALL_KINDS):
            await asyncio.to_thread(apply, kubectl, version("2", [20, 50], replicas=2))
            async with again_and_again(strike, every_s=0.5):
                await is_over(kubectl)
        assert struck == STRUCK
        assert seen.places() == ALL_THE_WAY
        assert seen.canary_replicas() == [1, 2]
        assert (len(seen.pods("canary")), len(seen.pods("stable"))) == (2, 2 + 2)
        # Not how many were available: a node that the API server has not heard of for long counts as lost.
        assert {body["spec"]["replicas"] for body in seen.versions("deployments", "claims")} == {2}
    assert relisted(audit) >= {"modeldeployments", "deployments", "pods", "services"}
    assert audit.written_without_the_lead() == []
