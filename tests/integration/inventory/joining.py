"""A hub and a cluster that becomes its member, as the tests of joining look at them."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.inventory.conftest import run
from tests.support.kubectl import Kubectl

OURS = ["-l", "app.kubernetes.io/managed-by=modelfleet-join"]
EVERYWHERE = ["clusterroles,clusterrolebindings,rolebindings", "-A", *OURS]
INSIDE = ["serviceaccounts,secrets", "-n", "modelfleet-system", *OURS]


@dataclass(frozen=True)
class Pair:
    """A hub, in a namespace of the test, and an administrator's way into a cluster that has not heard of it."""

    hub: Kubectl
    member: Kubectl

    def join(
        self, *arguments: str, name: str = "west", by: Path | None = None, there: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Join the member, `by` another kubeconfig, or `there` in another namespace of the hub."""
        file = by or self.member.kubeconfig
        context = json.loads(file.read_text())["current-context"]
        way = [f"--member-context={context}", f"--member-kubeconfig={file}"]
        return run(self.hub, "join", name, f"--argocd={there or self.hub.namespace}", *way, *arguments)

    def joined(self, *arguments: str, by: Path | None = None) -> str:
        """What joining prints; fails the test if it fails."""
        finished = self.join(*arguments, by=by)
        assert (finished.returncode, finished.stderr) == (0, ""), finished.stdout
        return finished.stdout

    def refusal(self, *arguments: str, name: str = "west", by: Path | None = None, there: str = "") -> str:
        """What it says when it refuses."""
        finished = self.join(*arguments, name=name, by=by, there=there)
        assert (finished.returncode, finished.stdout) == (1, "")
        return finished.stderr

    def checked(self, *arguments: str) -> str:
        """What a check prints."""
        return run(self.hub, "check", "west", f"--argocd={self.hub.namespace}", *arguments).stdout

    @property
    def described(self) -> dict[str, Any]:
        """The Secret in the hub."""
        return read(self.hub, "secret", "cluster-west")

    @property
    def config(self) -> dict[str, Any]:
        """How the hub signs in."""
        config: dict[str, Any] = json.loads(base64.b64decode(self.described["data"]["config"]))
        return config

    @property
    def token(self) -> str:
        """The hub's token."""
        token: str = self.config["bearerToken"]
        return token

    @property
    def made(self) -> dict[str, str]:
        """The resourceVersion of everything that was made in the member, by its uid."""
        found = [each for kinds in (EVERYWHERE, INSIDE) for each in read(self.member, *kinds)["items"]]
        return {each["metadata"]["uid"]: each["metadata"]["resourceVersion"] for each in found}

    def kubeconfig(self, file: Path, user: dict[str, Any] | None = None, **cluster: object) -> Path:
        """The member's kubeconfig with another user, or other fields of the cluster; None removes a field."""
        config = json.loads(self.member.kubeconfig.read_text())
        fields = config["clusters"][0]["cluster"] | {
            name.replace("_", "-"): told for name, told in cluster.items()
        }
        config["clusters"][0]["cluster"] = {name: told for name, told in fields.items() if told is not None}
        config["users"][0]["user"] = user or config["users"][0]["user"]
        file.write_text(json.dumps(config))
        return file

    def forget(self) -> None:
        """Remove from the member all that was made there."""
        self.member("delete", "clusterroles,clusterrolebindings", *OURS)
        self.member("delete", *INSIDE)
        for binding in read(self.member, "rolebindings", "-A", *OURS)["items"]:
            self.member("delete", "rolebinding", "modelfleet-hub", "-n", binding["metadata"]["namespace"])


def read(kubectl: Kubectl, *what: str) -> dict[str, Any]:
    """What kubectl gets."""
    found: dict[str, Any] = json.loads(kubectl("get", *what, "-o", "json"))
    return found
