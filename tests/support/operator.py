"""The operator as a process beside the tests, with exactly the rights that the manifests give it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.ports import free_port

SYSTEM = "modelfleet-system"
SERVICE_ACCOUNT = "modelfleet-operator"
REPOSITORY = Path(__file__).parents[2]


def install(kubectl: Kubectl) -> None:
    """Apply manifests/base: the CRD, the operator's rights, and its Deployment (whose pods need a node)."""
    kubectl("apply", "--server-side", "--force-conflicts", "-k", REPOSITORY / "manifests/base")


def kubeconfig_of(kubectl: Kubectl, folder: Path) -> Path:
    """A kubeconfig with a token of the operator's service account."""
    token = kubectl("create", "token", SERVICE_ACCOUNT, "--duration", "8h").strip()
    config = json.loads(kubectl("config", "view", "--raw", "--flatten", "--minify", "-o", "json"))
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    path.chmod(0o600)
    return path


@dataclass
class OperatorProcess:
    """One operator process; its output goes to a file."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int

    @classmethod
    def start(
        cls,
        kubeconfig: Path,
        folder: Path,
        *,
        pod_name: str = "operator-0",
        server_image: str = "server:1",
        variables: Mapping[str, str] | None = None,
    ) -> "OperatorProcess":
        """Start a process, with further variables; it takes the lead when no other has it."""
        log, port = folder / f"{pod_name}.log", free_port()
        environment = os.environ | {
            "KUBECONFIG": str(kubeconfig),
            "MODELFLEET_SERVER_IMAGE": server_image,
            "MODELFLEET_NAMESPACE": SYSTEM,
            "MODELFLEET_POD_NAME": pod_name,
            "MODELFLEET_PORT": str(port),
            **(variables or {}),
        }
        with log.open("ab") as output:
            command = [sys.executable, "-m", "modelfleet"]
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        return cls(process, log, port)

    def stop(self) -> int:
        """End the process in the ordinary way; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        """End the process between any two of its lines."""
        self.process.kill()
        self.process.wait(timeout=10)

    def leads(self) -> bool:
        """Whether the process has become the leader."""
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        return " leads" in self.log.read_text()

    def wait_until_leading(self) -> "OperatorProcess":
        """The process, once it leads."""
        eventually(self.leads)
        return self


class StartOperator(Protocol):
    """Starts a process with the name of a pod and the stock server's image."""

    def __call__(self, pod_name: str = "operator-0", server_image: str = "server:1") -> OperatorProcess: ...
