"""What the demo runs on: a cluster that it starts on this machine, or an existing one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

REPOSITORY = Path(__file__).parents[1]
BUILD = REPOSITORY / "build"
OPERATOR = "../../manifests/base"
STORAGE = "../../manifests/azurite"
LABEL, DEMO = "app.kubernetes.io/part-of", "modelfleet-demo"
# Where the demo shares a name with a real installation of Modelfleet, or with somebody's storage.
NAMES = {
    "namespace/blob",
    "namespace/modelfleet-system",
    "customresourcedefinition.apiextensions.k8s.io/modeldeployments.modelfleet.dev",
}


@dataclass(frozen=True)
class Images:
    """The names of the two images, as the cluster's nodes know them."""

    operator: str
    server: str


# As `python3 -m local images` names them.
LOADED = Images("localhost/modelfleet/operator:dev", "localhost/modelfleet/server:dev")


class Cluster(ABC):
    """A cluster that the demo can run on."""

    # What the demo installs, relative to its kustomization.
    manifests: tuple[str, ...] = (OPERATOR,)

    @property
    @abstractmethod
    def access(self) -> tuple[str, str]:
        """The option that tells kubectl which cluster is meant."""

    @property
    @abstractmethod
    def hints(self) -> tuple[str, str]:
        """The commands that make it kubectl's own cluster, and that remove the demo."""

    @abstractmethod
    def start(self) -> None:
        """Make sure that the demo can begin."""

    @abstractmethod
    def images(self) -> Images:
        """Build the images and bring them to where the nodes find them."""

    @abstractmethod
    def storage(self) -> AbstractContextManager[str]:
        """Return the connection string of its Azure Blob storage, good inside the block."""

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Return what kubectl prints."""
        return run("kubectl", *self.access, *arguments, stdin=stdin)

    @contextmanager
    def beside(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Run kubectl as long as the block lasts."""
        command = ["kubectl", *self.access, *arguments]
        # Over WebSockets what kubectl attaches to loses its input after a minute without any.
        environment = {**os.environ, "KUBECTL_REMOTE_COMMAND_WEBSOCKETS": "false"}
        with subprocess.Popen(  # noqa: S603  the demo's own commands
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            yield process


@dataclass(frozen=True)
class Local(Cluster):
    """A cluster that `python3 -m local` makes from packages."""

    name: str
    region: str = "westeurope"

    @property
    def access(self) -> tuple[str, str]:
        return "--kubeconfig", local("kubeconfig", self.name)

    @property
    def hints(self) -> tuple[str, str]:
        return f"export KUBECONFIG={local('kubeconfig', self.name)}", f"make demo-clean NAME={self.name}"

    def start(self) -> None:
        local("up", self.name, "--region", self.region)

    def images(self) -> Images:
        local("load", self.name, *local("images").split())
        return LOADED

    @contextmanager
    def storage(self) -> Iterator[str]:
        yield local("storage", "up", self.name)


@dataclass(frozen=True)
class Existing(Cluster):
    """A cluster that is there already, by its context in the kubeconfig, and the registry that it pulls from."""

    context: str
    registry: str
    manifests = (OPERATOR, STORAGE)

    @property
    def access(self) -> tuple[str, str]:
        return "--context", self.context

    @property
    def hints(self) -> tuple[str, str]:
        return f"kubectl config use-context {self.context}", f"make demo-clean CONTEXT={self.context}"

    def start(self) -> None:
        others = self.kubectl("get", "namespaces,crds", f"--selector={LABEL}!={DEMO}", "--output=name")
        if taken := NAMES.intersection(others.split()):
            sys.exit(f"{self.context} has {' and '.join(sorted(taken))}, not from a demo: it stays as it is.")
        say(f"{self.context} is there, and has nothing that the demo would overwrite")

    def images(self) -> Images:
        if self.registry:
            return Images(self.push("operator"), self.push("server"))
        say(f"No REGISTRY is given: the nodes must have {LOADED.operator} and {LOADED.server} already")
        return LOADED

    def push(self, part: str) -> str:
        """Build an image, push it, and return its name; its tag stands for its content."""
        tool, *build = ("buildah", "build", "--layers") if shutil.which("buildah") else ("docker", "build")
        record = BUILD / f"{part}.id"
        say(f"building the {part} image")
        run(tool, *build, "--iidfile", str(record), "--file", f"Dockerfile.{part}", ".")
        number = record.read_text().strip().removeprefix("sha256:")[:12]
        image = f"{self.registry}/modelfleet-{part}:{number}"
        say(f"pushing {image}")
        run(tool, "tag", number, image)
        run(tool, "push", image)
        return image

    @contextmanager
    def storage(self) -> Iterator[str]:
        azurite = ("--namespace=blob", "deployment/demo")
        self.kubectl("rollout", "status", *azurite, "--timeout=180s")
        accounts = "--output=jsonpath={.spec.template.spec.containers[0].env[0].value}"
        name, _, key = self.kubectl("get", *azurite, accounts).partition(":")
        with self.beside("port-forward", "--namespace=blob", "service/demo", ":10000") as process:
            try:
                where = re.search(r"127.0.0.1:\d+", cast("IO[str]", process.stdout).readline())
                if not where:
                    sys.exit("The storage cannot be reached.")
                yield f"AccountName={name};AccountKey={key};BlobEndpoint=http://{where[0]}/{name};"
            finally:
                process.terminate()

    def clean(self) -> None:
        """Remove what carries the demo's label, and before it what its operator made."""
        of_demo = f"--selector={LABEL}={DEMO}"
        if self.kubectl("get", "crds", of_demo, "--output=name"):
            everywhere = ("--all-namespaces", "--timeout=120s")
            print(self.kubectl("delete", "modeldeployments.modelfleet.dev", "--all", *everywhere), end="")
            self.kubectl(
                "wait", "--for=delete", "pods", "--selector=modelfleet.dev/deployment=claims", *everywhere
            )
        kinds = "pods,namespaces,crds,clusterroles,clusterrolebindings"
        print(self.kubectl("delete", kinds, of_demo, "--all-namespaces"), end="")


def local(*arguments: str) -> str:
    """Return what the local cluster tool prints."""
    return run(sys.executable, "-m", "local", *arguments).strip()


def run(*command: str, stdin: str | None = None) -> str:
    """Return what a command prints; where it fails, end with its own words, which it has printed already."""
    finished = subprocess.run(  # noqa: S603  the demo's own commands
        command, input=stdin, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, check=False
    )
    if finished.returncode:
        sys.exit(f"{finished.stdout}{' '.join(command)} ended with {finished.returncode}.")
    return finished.stdout


def say(line: str) -> None:
    """Print a line of the story."""
    print(f"  {line}", flush=True)
