"""kubectl as a function."""

import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

KUBECTL = Path(sysconfig.get_path("scripts")) / "kubectl"


@dataclass(frozen=True)
class Kubectl:
    """Runs the kubectl of the development environment; arguments as on its command line."""

    kubeconfig: Path
    namespace: str = "default"

    def run(self, *arguments: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """The finished command, whether it succeeded or not."""
        command = [KUBECTL, "--kubeconfig", self.kubeconfig, "--namespace", self.namespace, *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)

    def __call__(self, *arguments: str | Path, stdin: str | None = None) -> str:
        """What the command prints; fails the test if the command fails."""
        finished = self.run(*arguments, stdin=stdin)
        assert finished.returncode == 0, finished.stderr
        return finished.stdout
