"""The demo of regions: from nothing to three clusters, and to a new version that comes to them in waves.

``make demo-regions`` runs it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from samples.clusters import LOADED, REPOSITORY, Local, local, run, say
from samples.demo import MODELS, Story, tell
from samples.upload import upload

OVERLAY = REPOSITORY / "manifests/overlays/local"
SAMPLE = REPOSITORY / "manifests/samples/regions.yaml"
SYSTEM = "modelfleet-system"
IN_CLUSTER = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "in-cluster",
        "namespace": SYSTEM,
        "labels": {"argocd.argoproj.io/secret-type": "cluster", "topology.kubernetes.io/region": "eastus"},
    },
    "stringData": {"name": "in-cluster", "server": "https://kubernetes.default.svc", "config": "{}"},
}
"""The hub as a member of itself, as Argo CD describes it."""
RATE_PER_S = 50
PATIENCE_S = 300.0
LOOK_EVERY_S = 0.5


@dataclass(frozen=True)
class Fleet:
    """The demo on a hub, which serves in a region too, and two members; a chapter to a method."""

    hub: Local
    members: tuple[Local, ...]

    @property
    def clusters(self) -> tuple[Local, ...]:
        """All clusters, the hub last."""
        return *self.members, self.hub

    def start_clusters(self) -> None:
        """Three Kubernetes clusters, each in a region of its own"""
        for cluster in self.clusters:
            cluster.start()

    def load_images(self) -> None:
        """The images of the operator and the server, in all of them"""
        for cluster in self.clusters:
            cluster.images()

    def install_operator(self) -> None:
        """The operator, in the hub only: kubectl apply -k manifests/overlays/local"""
        self.hub.kubectl("apply", "--server-side", "-k", str(OVERLAY))
        # An image may keep its tag when the sources change.
        self.hub.kubectl("rollout", "restart", "deployment", "-n", SYSTEM, "modelfleet-operator")
        self.hub.kubectl("rollout", "status", "deployment", "-n", SYSTEM, "modelfleet-operator")

    def join_members(self) -> None:
        """modelfleet cluster join, for each member; and the hub as Argo CD's in-cluster entry"""
        for member in self.members:
            kubeconfig = member.access[1]
            context = member.kubectl("config", "current-context").strip()
            where = ("--region", member.region, "--member-kubeconfig", kubeconfig, "--member-context", context)
            self.modelfleet("cluster", "join", member.name, "--argocd", SYSTEM, *where)
        self.hub.kubectl("apply", "-f", "-", stdin=json.dumps(IN_CLUSTER))
        print(self.modelfleet("cluster", "list", "--argocd", SYSTEM), end="")

    def upload_models(self) -> None:
        """Two versions of a model that tells auto claims from home claims, trained and uploaded to blob storage"""
        run("python3", "-m", "samples.claims.train", "--to", str(MODELS))
        with self.hub.storage() as connection:
            say(f"{upload(connection, MODELS, 'models')} files uploaded")
        for member in self.members:
            local("storage", "up", member.name, "--of", self.hub.name)

    def deploy(self) -> None:
        """kubectl apply -f manifests/samples/regions.yaml"""
        self.hub.kubectl("delete", "-f", str(SAMPLE), "--ignore-not-found")
        self.apply("1")
        self.approve()
        self.follow("Serving")
        print(self.hub.kubectl("get", "mfd", "claims"), end="")

    def change_version(self) -> None:
        """Version 2 in waves, with users in every region"""
        with self.users():
            say(f"sending {RATE_PER_S} requests a second in each region while the version changes")
            self.apply("2")
            self.follow("ApprovalNeeded")
            print(self.modelfleet("status", "claims"), end="")
            self.approve()
            self.follow("Serving")
        print(self.hub.kubectl("get", "mfd", "claims"), end="")

    def try_a_bad_version(self) -> None:
        """Version 3, which fails on its own sample request: it ends in the first region"""
        with self.users():
            self.apply("3")
            self.follow("RolledBack")
        print(self.modelfleet("status", "claims"), end="")

    def what_next(self) -> str:
        """Return what to try now."""
        return f"""
Try this next:
  {self.hub.hints[0]}
  modelfleet status claims -w                        # follow it
  modelfleet cluster check {self.members[0].name} --argocd {SYSTEM} -n default
  kubectl get mfd claims -o yaml                     # what the status tells of each region
  kubectl apply -f manifests/samples/regions.yaml    # back to version 1, everywhere at once, for it was good
  make demo-clean                                    # remove the demo and all that it made"""

    # The parts of a chapter

    @contextmanager
    def users(self) -> Iterator[None]:
        """Send requests in every region as long as the block lasts, and tell what became of them."""
        with ExitStack() as loads:
            for cluster in self.clusters:
                # Kept connections would come to a canary after a minute only.
                loads.enter_context(Story(cluster, LOADED).load(RATE_PER_S, "--new-connections"))
            yield
            regions = ", ".join(cluster.region for cluster in reversed(self.clusters))
            say(f"what became of the requests in {regions}:")

    def apply(self, version: str) -> None:
        """Do what a person would who edits the YAML and applies it again."""
        text = SAMPLE.read_text().replace('version: "1"', f'version: "{version}"')
        self.hub.kubectl("apply", "-f", "-", stdin=text.replace("/claims/1/", f"/claims/{version}/"))

    def approve(self) -> None:
        """Let the next wave begin, when it is its turn."""
        self.follow("ApprovalNeeded")
        print(
            f"  $ modelfleet approve claims\n  {self.modelfleet('approve', 'claims').splitlines()[0]}", flush=True
        )

    def follow(self, reason: str) -> None:
        """Tell of each region whenever something changes in one of them; return when Ready has the reason."""
        before, start = "", time.monotonic()
        while time.monotonic() < start + PATIENCE_S:
            body = json.loads(self.hub.kubectl("get", "mfd", "claims", "-o", "json"))
            if (line := _told(body)) != before:
                say(line)
                before = line
            if _is(body, reason):
                return
            time.sleep(LOOK_EVERY_S)
        raise SystemExit(f"It did not become {reason} within {PATIENCE_S:g} s.")

    def modelfleet(self, *arguments: str) -> str:
        """Return what `modelfleet` prints, used on the hub."""
        return run("env", f"KUBECONFIG={self.hub.access[1]}", "modelfleet", *arguments)


def _told(body: dict[str, Any]) -> str:
    regions = body.get("status", {}).get("regions", [])
    return "   ".join(f"{region['name']}: {region['reason']}" for region in regions)


def _is(body: dict[str, Any], reason: str) -> bool:
    """Return whether the status is about the spec as it is, and its Ready has the reason."""
    status = body.get("status", {})
    is_current = status.get("observedGeneration") == body["metadata"]["generation"]
    conditions = status.get("conditions", [])
    return is_current and any(c["type"] == "Ready" and c["reason"] == reason for c in conditions)


def main() -> None:
    """Tell the story; the first thing that fails ends it."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    members = (Local("demo-west", "westeurope"), Local("demo-north", "northeurope"))
    fleet = Fleet(Local("demo-hub", "eastus"), members)
    chapters: tuple[Callable[[], None], ...] = (
        fleet.start_clusters,
        fleet.load_images,
        fleet.install_operator,
        fleet.join_members,
        fleet.upload_models,
        fleet.deploy,
        fleet.change_version,
        fleet.try_a_bad_version,
    )
    tell(chapters, fleet.what_next)


if __name__ == "__main__":
    main()
