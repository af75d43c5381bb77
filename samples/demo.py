"""The demo: from nothing to a served model, and to a new version under load. ``make demo`` runs it."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from bench.load import Outcome, offer
from samples.upload import upload

REPOSITORY = Path(__file__).parents[1]
MODELS = REPOSITORY / "build/models"
SAMPLE = REPOSITORY / "manifests/samples/claims.yaml"
CLAIMS: list[dict[str, str]] = json.loads((REPOSITORY / "samples/claims/claims.json").read_text())
VERDICTS = {1: "auto", 0: "home"}
RATE_PER_S = 200


@dataclass(frozen=True)
class Story:
    """The demo on one local cluster, a chapter to a method."""

    name: str

    def start_cluster(self) -> None:
        """A Kubernetes cluster on this machine, with Azure Blob storage beside it"""
        self.local("up", self.name)
        connection = self.local("storage", "up", self.name).strip()
        MODELS.mkdir(parents=True, exist_ok=True)
        (MODELS.parent / "storage").write_text(connection)

    def build_images(self) -> None:
        """The images of the operator and the server"""
        archives = self.local("images").split()
        self.local("load", self.name, *archives)

    def install_operator(self) -> None:
        """The operator, as kubectl apply -k manifests/overlays/local"""
        self.kubectl("apply", "--server-side", "-k", str(REPOSITORY / "manifests/overlays/local"))
        # The images keep their tag when the sources change.
        self.kubectl("rollout", "restart", "deployment", "-n", "modelfleet-system", "modelfleet-operator")
        self.kubectl("rollout", "status", "deployment", "-n", "modelfleet-system", "modelfleet-operator")

    def upload_models(self) -> None:
        """Two versions of a model that tells auto claims from home claims, trained and uploaded"""
        run(sys.executable, "-m", "samples.claims.train", "--to", str(MODELS))
        count = upload((MODELS.parent / "storage").read_text(), MODELS, "models")
        say(f"{count} files uploaded")

    def deploy(self) -> None:
        """kubectl apply -f manifests/samples/claims.yaml"""
        # Pods of an earlier run would go on with that run's images, however often it is applied.
        self.kubectl("delete", "-f", str(SAMPLE), "--ignore-not-found")
        self.kubectl("apply", "-f", str(SAMPLE))
        self.kubectl("wait", "--for=condition=Ready", "mfd/claims", "--timeout=180s")
        print(self.kubectl("get", "mfd", "claims"), end="")

    def score(self) -> None:
        """Three claims, posted to the endpoint"""
        texts = [claim["text"] for claim in CLAIMS]
        for text, verdict in zip(texts, verdicts(f"{self.url()}/score?model_name=claims", texts), strict=True):
            say(f"{verdict}: {text}")

    def change_version(self) -> None:
        """Version 2, under load"""
        say(f"sending {RATE_PER_S} requests a second while the version changes")
        outcome = asyncio.run(under_load(self.url(), asyncio.to_thread(self.roll_to_version_2)))
        say(str(outcome))
        print(self.kubectl("get", "mfd", "claims"), end="")
        if outcome.failures:
            sys.exit("Requests failed, which must not be.")

    def roll_to_version_2(self) -> None:
        """Do what a person would who edits the YAML and applies it again; return when no old pod is left."""
        before = self.kubectl("get", "mfd", "claims", "-o", "jsonpath={.status.revision}")
        text = SAMPLE.read_text().replace('version: "1"', 'version: "2"').replace("/claims/1/", "/claims/2/")
        self.kubectl("apply", "-f", "-", stdin=text)
        self.kubectl("wait", "--for=condition=Ready", "mfd/claims", "--timeout=180s")
        # Connections that are kept alive stay with an old pod until it has drained.
        old = f"--selector=modelfleet.dev/revision={before}"
        self.kubectl("wait", "--for=delete", "pods", old, "--timeout=90s")

    def url(self) -> str:
        """Return the address of the Service, which this machine reaches like a node."""
        return "http://" + self.kubectl("get", "service", "claims", "-o", "jsonpath={.spec.clusterIP}")

    def what_next(self) -> str:
        """Return what to try now."""
        return f"""
Try this next:
  export KUBECONFIG={self.kubeconfig()}
  kubectl get mfd claims -o yaml                                     # what the status says
  kubectl delete deployment claims; kubectl get deployment claims    # it is back
  kubectl scale mfd/claims --replicas=3
  kubectl patch mfd claims --type=merge -p '{{"spec":{{"model":{{"uri":"http://demo.blob.svc.cluster.local:10000/models/none/"}}}}}}'
  kubectl get mfd claims -o wide                                     # it says what is wrong, and still serves
  curl -s '{self.url()}/score' -d '{{"data": ["hail broke my windshield"]}}'
  make demo-clean                                                    # remove the cluster and all that is in it"""

    def kubeconfig(self) -> str:
        """Return the path of the cluster's kubeconfig."""
        return self.local("kubeconfig", self.name).strip()

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Return what kubectl prints."""
        return run("kubectl", "--kubeconfig", self.kubeconfig(), *arguments, stdin=stdin)

    def local(self, *arguments: str) -> str:
        """Return what the local cluster tool prints."""
        return run(sys.executable, "-m", "local", *arguments)


def main() -> None:
    """Tell the story; the first thing that fails ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="demo", help="of the local cluster (default %(default)s)")
    story = Story(parser.parse_args().name)
    start = time.monotonic()
    chapters = (
        story.start_cluster,
        story.build_images,
        story.install_operator,
        story.upload_models,
        story.deploy,
        story.score,
        story.change_version,
    )
    for number, chapter in enumerate(chapters, 1):
        print(f"\n[{number}/{len(chapters)}, {time.monotonic() - start:.0f} s] {chapter.__doc__}", flush=True)
        chapter()
    print(f"\nDone in {time.monotonic() - start:.0f} s.\n{story.what_next()}")


def run(*command: str, stdin: str | None = None) -> str:
    """Return what a command prints; where it fails, end with its own words, which it has printed already."""
    finished = subprocess.run(  # noqa: S603  the demo's own commands
        command, input=stdin, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, check=False
    )
    if finished.returncode:
        sys.exit(f"{finished.stdout}{' '.join(command)} ended with {finished.returncode}.")
    return finished.stdout


def verdicts(url: str, texts: list[str]) -> list[str]:
    """Return what the endpoint says of each text."""
    request = Request(url, json.dumps({"data": texts}).encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urlopen(request, timeout=10) as response:  # noqa: S310  the demo's own Service
        results = json.load(response)["results"]
    return [VERDICTS[result["label"]] for result in results]


async def under_load(url: str, change: Awaitable[None]) -> Outcome:
    """Return what became of the requests that were sent while the change went on."""
    stop = asyncio.Event()
    texts = [claim["text"] for claim in CLAIMS]
    load = asyncio.create_task(offer(url, "claims", texts, rate_per_s=RATE_PER_S, keep_alive=True, stop=stop))
    try:
        await change
    finally:
        stop.set()
    return await load


def say(line: str) -> None:
    """Print a line of the story."""
    print(f"  {line}", flush=True)


if __name__ == "__main__":
    main()
