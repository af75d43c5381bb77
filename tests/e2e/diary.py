"""Every version of the objects in a namespace that the API server told of: also what was there only briefly."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.eventually import eventually
from tests.support.kubectl import KUBECTL, Kubectl
from tests.support.modeldeployments import Manifest, read_all

KINDS = ("modeldeployments", "deployments", "pods")


@dataclass(frozen=True)
class Diary:
    """What has been seen since it was opened, in the order in which it happened."""

    folder: Path
    kubectl: Kubectl

    def places(self) -> list[str]:
        """The phase and step of each rollout, one entry for each time that it came there."""
        found = (body.get("status", {}).get("rollout") for body in self.versions("modeldeployments", "claims"))
        told = (f"{entry['phase']} {entry['step']}" if entry else "" for entry in found)
        return [place for place, _ in groupby(told) if place]

    def canary_replicas(self) -> list[int]:
        """How many canary pods were asked for, one entry for each change."""
        found = self.versions("deployments", "claims-canary")
        return [replicas for replicas, _ in groupby(body["spec"]["replicas"] for body in found)]

    def fewest_stable_pods(self) -> int:
        """The smallest number of stable pods that served."""
        found = [body["status"] for body in self.versions("deployments", "claims")]
        return min(int(status.get("availableReplicas", 0)) for status in found)

    def pods(self, track: str) -> set[str]:
        """The uids of all pods that ever were, of the stable ones or of the canary."""
        found = (body["metadata"] for body in self.versions("pods"))
        return {about["uid"] for about in found if about["labels"].get("modelfleet.dev/track") == track}

    def versions(self, kind: str, name: str = "") -> Iterator[Manifest]:
        """Each version until now of the objects of that kind, or of one of them."""
        there = {_version(body) for body in read_all(self.kubectl, kind)}
        eventually(lambda: there <= {_version(body) for body in self._told(kind)})
        return (body for body in self._told(kind) if not name or body["metadata"]["name"] == name)

    def _told(self, kind: str) -> Iterator[Manifest]:
        with (self.folder / kind).open() as seen:
            for line in seen:
                if line.endswith("\n"):  # or kubectl has not written the rest yet
                    yield json.loads(line)["object"]


def _version(body: Manifest) -> tuple[str, str]:
    return body["metadata"]["uid"], body["metadata"]["resourceVersion"]


@contextmanager
def diary(kubectl: Kubectl) -> Iterator[Diary]:
    """A diary that is kept as long as the block lasts, and can be read as long."""
    told = (f"--kubeconfig={kubectl.kubeconfig}", f"--namespace={kubectl.namespace}")
    options = ("--watch", "--output-watch-events", "-o", "json")
    watches: list[subprocess.Popen[bytes]] = []
    with TemporaryDirectory() as folder:
        try:
            for kind in KINDS:
                with (Path(folder) / kind).open("wb") as seen:
                    watches.append(subprocess.Popen([KUBECTL, *told, "get", kind, *options], stdout=seen))
            yield Diary(Path(folder), kubectl)
            assert [watch.poll() for watch in watches] == [None] * len(KINDS)
        finally:
            for watch in watches:
                watch.kill()
                watch.wait()
