"""The demo: from nothing to a served model, and to a new version under load. ``make demo`` runs it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, cast

from samples.clusters import BUILD, DEMO, LABEL, LOADED, REPOSITORY, Cluster, Existing, Images, Local, run, say
from samples.upload import upload

MODELS = BUILD / "models"
LOAD = REPOSITORY / "bench/load.py"
SAMPLE = REPOSITORY / "manifests/samples/claims.yaml"
CLAIMS: list[dict[str, str]] = json.loads((REPOSITORY / "samples/claims/claims.json").read_text())
VERDICTS = {1: "auto", 0: "home"}
RATE_PER_S = 200
KUSTOMIZATION = """\
# Written by `make demo`: the operator, with the images of this run.
resources: [{resources}]
labels:
  - pairs: {{{label}: {demo}}}
patches:
  - target: {{kind: Deployment, name: modelfleet-operator}}
    patch: |-
      - {{op: replace, path: /spec/template/spec/containers/0/image, value: "{images.operator}"}}
      - {{op: replace, path: /spec/template/spec/containers/0/env/0/value, value: "{images.server}"}}
"""


@dataclass
class Story:
    """The demo on one cluster, a chapter to a method."""

    cluster: Cluster
    images: Images = LOADED

    def start_cluster(self) -> None:
        """A Kubernetes cluster"""
        self.cluster.start()

    def build_images(self) -> None:
        """The images of the operator and the server"""
        BUILD.mkdir(exist_ok=True)
        self.images = self.cluster.images()

    def install_operator(self) -> None:
        """The operator, as kubectl apply -k build/demo"""
        resources = ", ".join(self.cluster.manifests)
        text = KUSTOMIZATION.format(resources=resources, label=LABEL, demo=DEMO, images=self.images)
        (BUILD / "demo").mkdir(exist_ok=True)
        (BUILD / "demo/kustomization.yaml").write_text(text)
        self.kubectl("apply", "--server-side", "-k", str(BUILD / "demo"))
        # An image may keep its tag when the sources change.
        self.kubectl("rollout", "restart", "deployment", "-n", "modelfleet-system", "modelfleet-operator")
        self.kubectl("rollout", "status", "deployment", "-n", "modelfleet-system", "modelfleet-operator")

    def upload_models(self) -> None:
        """Two versions of a model that tells auto claims from home claims, trained and uploaded to blob storage"""
        run(sys.executable, "-m", "samples.claims.train", "--to", str(MODELS))
        with self.cluster.storage() as connection:
            say(f"{upload(connection, MODELS, 'models')} files uploaded")

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
        body = json.dumps({"data": texts})
        answer = self.kubectl("create", "--raw", f"{self.proxy()}/score?model_name=claims", "-f", "-", stdin=body)
        for text, result in zip(texts, json.loads(answer)["results"], strict=True):
            say(f"{VERDICTS[result['label']]}: {text}")

    def change_version(self) -> None:
        """Version 2, under load"""
        with self.load():
            say(f"sending {RATE_PER_S} requests a second while the version changes")
            self.roll_to_version_2()
        print(self.kubectl("get", "mfd", "claims"), end="")

    @contextmanager
    def load(self, rate_per_s: int = RATE_PER_S, *options: str) -> Iterator[None]:
        """Send requests through the Service, from a pod and so on any cluster, as long as the block lasts."""
        self.kubectl("delete", "pod", "load", "--ignore-not-found")
        pod = (f"--image={self.images.operator}", f"--labels={LABEL}={DEMO}", "--restart=Never", "--rm", "--stdin")
        program = ("python3", "-c", LOAD.read_text(), "http://claims", f"--rate={rate_per_s}", *options)
        with self.cluster.beside("run", "load", *pod, "--quiet", "--command", "--", *program) as process:
            stdin, stdout = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
            # A load that goes on gives back each line that it gets; it ends with its input.
            stdin.write("ready\n")
            stdin.flush()
            if not stdout.readline():
                sys.exit("The pod that sends the requests did not start.")
            try:
                yield
            finally:
                stdin.close()
                say(stdout.read().partition("\n")[0])
        if process.returncode:
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

    def proxy(self) -> str:
        """Return the path of the Service on the API server, which leads to it from everywhere."""
        namespace = self.kubectl("get", "mfd", "claims", "-o", "jsonpath={.metadata.namespace}")
        return f"/api/v1/namespaces/{namespace}/services/claims:http/proxy"

    def what_next(self) -> str:
        """Return what to try now."""
        use, clean = self.cluster.hints
        return f"""
Try this next:
  {use}
  kubectl get mfd claims -o yaml                                     # what the status says
  kubectl delete deployment claims; kubectl get deployment claims    # it is back
  kubectl scale mfd/claims --replicas=3
  kubectl patch mfd claims --type=merge -p '{{"spec":{{"model":{{"uri":"http://demo.blob.svc.cluster.local:10000/models/none/"}}}}}}'
  kubectl get mfd claims -o wide                                     # it says what is wrong, and still serves
  echo '{{"data": ["hail broke my windshield"]}}' | kubectl create --raw {self.proxy()}/score -f -
  {clean:<67}# remove the demo and all that it made"""

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Return what kubectl prints."""
        return self.cluster.kubectl(*arguments, stdin=stdin)


def main() -> None:
    """Tell the story; the first thing that fails ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="demo", help="of the local cluster (default %(default)s)")
    parser.add_argument("--context", help="an existing cluster instead, by its name in the kubeconfig")
    parser.add_argument("--registry", default="", help="where the existing cluster pulls images from")
    parser.add_argument("--clean", action="store_true", help="remove the demo from the existing cluster")
    args = parser.parse_args()
    if args.clean:
        Existing(args.context, args.registry).clean()
        return
    story = Story(Existing(args.context, args.registry) if args.context else Local(args.name))
    chapters = (
        story.start_cluster,
        story.build_images,
        story.install_operator,
        story.upload_models,
        story.deploy,
        story.score,
        story.change_version,
    )
    tell(chapters, story.what_next)


def tell(chapters: Sequence[Callable[[], None]], what_next: Callable[[], str]) -> None:
    """Run chapter by chapter."""
    start = time.monotonic()
    for number, chapter in enumerate(chapters, 1):
        print(f"\n[{number}/{len(chapters)}, {time.monotonic() - start:.0f} s] {chapter.__doc__}", flush=True)
        chapter()
    print(f"\nDone in {time.monotonic() - start:.0f} s.\n{what_next()}")


if __name__ == "__main__":
    main()
