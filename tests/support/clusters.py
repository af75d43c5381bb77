"""Local clusters for tests of several at once: a hub and its members, and what can go wrong with one of them."""

import json
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local import storage
from local.cluster import REGION, Cluster, get
from tests.support.control_plane import ControlPlane
from tests.support.kubectl import Kubectl

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class LocalCluster:
    """One cluster of `python3 -m local`, whether it runs or not."""

    name: str

    def up(self, region: str = REGION, *, node: bool = True) -> None:
        """Start the cluster, or what of it does not run; without a node it is quicker, and runs no pods."""
        local("up", self.name, "--region", region, *([] if node else ["--control-plane"]))

    def down(self) -> None:
        """Remove the cluster and every trace of it; nothing of it need exist."""
        local("down", self.name)

    def rebuild(self) -> None:
        """Replace the cluster by an empty one with the same name, region and address, and a new authority."""
        known = self.known
        self.down()
        known.save()  # The address is kept, also from clusters that others start meanwhile.
        self.up(known.region, node=known.node)

    @property
    def known(self) -> Cluster:
        """The name, the addresses and the folder of the cluster."""
        return get(self.name)

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of the administrator; it names the API server as this machine and all pods reach it."""
        return self.known.kubeconfig

    @property
    def kubectl(self) -> Kubectl:
        """kubectl as the administrator."""
        return Kubectl(self.kubeconfig)

    @property
    def uid(self) -> str:
        """What tells this cluster from every other, one of the same name included."""
        return self.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")

    def load_images(self, *parts: str) -> None:
        """Build the images of the operator and the server, or only those named, and bring them in."""
        local("load", self.name, *local("images", *parts).split())

    def token_for(self, service_account: str, namespace: str = "default") -> str:
        """A token with the rights of a service account, good for an hour."""
        return Kubectl(self.kubeconfig, namespace)("create", "token", service_account).strip()

    def kubeconfig_for(self, service_account: str, namespace: str = "default") -> str:
        """The text of a kubeconfig that holds such a token, and no certificate that would say more."""
        config = json.loads(self.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": self.token_for(service_account, namespace)}
        return json.dumps(config)

    def serve_storage(self) -> str:
        """Start Azurite beside the cluster; returns the connection string for this machine."""
        return local("storage", "up", self.name).strip()

    def use_storage_of(self, other: "LocalCluster") -> None:
        """Have the URLs of models mean in this cluster what they mean in the other."""
        storage.announce(self.known, other.known)

    def stop_api(self) -> None:
        """The API server ends: from now on connections are refused."""
        ControlPlane(self.kubeconfig).kill_api_server()

    def freeze_api(self) -> None:
        """The API server stops in its tracks: connections are made, and nothing is answered."""
        ControlPlane(self.kubeconfig).freeze_api_server()

    def answer_with(self, status: int) -> None:
        """Whatever the API server is asked, it answers with that HTTP status."""
        ControlPlane(self.kubeconfig).answer_with(status)

    def resume_api(self) -> None:
        """The API server serves again as before, whatever became of it; it has forgotten nothing."""
        ControlPlane(self.kubeconfig).start_again()


def down(clusters: Iterable[LocalCluster]) -> None:
    """Remove several clusters at once."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(LocalCluster.down, clusters))


def local(*arguments: str) -> str:
    """What the local cluster tool prints; fails the test with its words if it fails."""
    command = [sys.executable, "-m", "local", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
