"""How soon a canary comes: ``python -m bench.rollout``.

On a control plane without nodes, ModelDeployments serve a version (their pods are made ready by hand). Then each
gets another version, one after the other, and what is measured is the time from the request that changes the spec
to the creation of the first canary pod, as a watch of the pods tells it. Beside it, in the same run: how long
Kubernetes itself takes from a changed Deployment to its first new pod.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from bench.operator import CLUSTER, local
from modelfleet.core import names
from modelfleet.kube.auth import connect
from modelfleet.kube.client import DEPLOYMENTS, MODEL_DEPLOYMENTS, PODS, KubeClient
from tests.support import kubelet
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import Manifest, apply, model_deployment
from tests.support.operator import SYSTEM, OperatorProcess, install, kubeconfig_of

NAMESPACE = "rollouts"
BENCH = "bench"
ROLLOUT = {"canary": {"steps": [50], "pause": "1h"}}


def main() -> None:
    """Start a control plane, measure, print, and take it down again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50, help="ModelDeployments (default %(default)s)")
    args = parser.parse_args()
    local("up", CLUSTER, "--control-plane")
    try:
        asyncio.run(measure(Path(local("kubeconfig", CLUSTER).strip()), args.runs))
    finally:
        local("down", CLUSTER)


async def measure(kubeconfig: Path, runs: int) -> None:
    """Print the two medians and their ratio."""
    install(Kubectl(kubeconfig, SYSTEM))
    kubectl = Kubectl(kubeconfig, NAMESPACE)
    kubectl("create", "namespace", NAMESPACE)
    with tempfile.TemporaryDirectory() as folder:
        kubeconfig_of_operator = kubeconfig_of(Kubectl(kubeconfig, SYSTEM), Path(folder))
        operator = OperatorProcess.start(kubeconfig_of_operator, Path(folder))
        operator.wait_until_leading()
        owners = [f"claims-{number}" for number in range(runs)]
        await asyncio.to_thread(serve, kubectl, owners)
        async with await connect(kubeconfig, None) as client:
            report(*[await seconds_each(client, owners, change) for change in (change_spec, change_deployment)])
        operator.stop()


def report(canaries: list[float], pods: list[float]) -> None:
    """Print what was measured."""
    ours, kubernetes = statistics.median(canaries), statistics.median(pods)
    print(f"spec changed to first canary pod: median {1000 * ours:.0f} ms, worst {1000 * max(canaries):.0f} ms")
    print(f"Deployment changed to first new pod, without the operator: median {1000 * kubernetes:.0f} ms")
    print(f"ratio: {ours / kubernetes:.1f}")


def serve(kubectl: Kubectl, owners: list[str]) -> None:
    """Have every ModelDeployment serve a version."""
    apply(kubectl, *(manifest(owner, "1") for owner in owners))
    for owner in owners:
        kubelet.settle(kubectl, owner, within_s=120)


def manifest(owner: str, version: str) -> Manifest:
    """Return a ModelDeployment."""
    return model_deployment(owner, version=version, rollout=ROLLOUT)


async def seconds_each(client: KubeClient, owners: list[str], change: Any) -> list[float]:
    """Return how long the first new pod of each takes after a change."""
    return [await seconds(client, owner, change(client, owner)) for owner in owners]


async def seconds(client: KubeClient, owner: str, change: Awaitable[object]) -> float:
    """Return how long it takes from a change to the first pod that it leads to."""
    async with created(client, owner) as pod:
        started = time.perf_counter()
        await change
        await pod
        return time.perf_counter() - started


@asynccontextmanager
async def created(client: KubeClient, owner: str) -> AsyncIterator[asyncio.Task[None]]:
    """Yield a task that ends when a pod of the owner is created from now on."""
    selector = f"{names.OWNER}={owner}"
    version = (await client.list(PODS, namespace=NAMESPACE, label_selector=selector)).resource_version

    async def watch() -> None:
        events = client.watch(PODS, resource_version=version, namespace=NAMESPACE, label_selector=selector)
        async with aclosing(events):
            async for event in events:
                if event.type == "ADDED":
                    return

    task = asyncio.create_task(watch())
    yield task
    task.cancel()


async def change_spec(client: KubeClient, owner: str) -> None:
    """Ask for another version."""
    spec = manifest(owner, "2")["spec"]
    await client.merge(MODEL_DEPLOYMENTS, NAMESPACE, owner, {"spec": spec}, field_manager=BENCH)


async def change_deployment(client: KubeClient, owner: str) -> None:
    """Ask Kubernetes for another pod of the stable ones."""
    canary = names.canary_deployment(owner)
    await client.merge(DEPLOYMENTS, NAMESPACE, canary, {"spec": {"replicas": 2}}, field_manager=BENCH)


if __name__ == "__main__":
    main()
