"""The operator with 1,000 ModelDeployments on a control plane without nodes: ``python -m bench.operator``.

First a plain concurrent client writes what the operator would: five objects and the status for each
ModelDeployment. Then the operator does it for as many in another namespace, on the same API server in the
same run. What counts is the ratio of the two times; then the operator's memory for each ModelDeployment, and
its requests when there is nothing to do.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelfleet.core.api import parse
from modelfleet.core.children import Defaults, children_of
from modelfleet.core.decision import Decision
from modelfleet.core.observed import Observed
from modelfleet.core.registered import Resolved
from modelfleet.core.revision import revision_of
from modelfleet.core.status import status_of
from modelfleet.kube.auth import connect
from modelfleet.kube.client import DEPLOYMENTS, MODEL_DEPLOYMENTS, KubeClient, Resource
from modelfleet.render.renderer import render
from tests.support.audit import AuditLog
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import model_deployment
from tests.support.operator import SYSTEM, OperatorProcess, install, kubeconfig_of

CLUSTER = "modelfleet-bench"
IMAGE = "server:1"


def main() -> None:
    """Start a control plane, measure, print, and take it down again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="ModelDeployments (default %(default)s)")
    parser.add_argument("--concurrency", type=int, default=8, help="of the plain client (default %(default)s)")
    parser.add_argument("--idle-seconds", type=float, default=60)
    args = parser.parse_args()
    local("up", CLUSTER, "--control-plane")
    try:
        kubeconfig = Path(local("kubeconfig", CLUSTER).strip())
        asyncio.run(measure(kubeconfig, args.count, args.concurrency, args.idle_seconds))
    finally:
        local("down", CLUSTER)


async def measure(kubeconfig: Path, count: int, concurrency: int, idle_s: float) -> None:
    """Print the three results."""
    kubectl = Kubectl(kubeconfig, SYSTEM)
    install(kubectl)
    for namespace in ("plain", "fleet"):
        kubectl("create", "namespace", namespace)
    async with await connect(kubeconfig, None) as client:
        owners = await write(client, map(manifest, ["plain"] * count, range(count)), concurrency)
        plain_s = await timed(write_plainly(client, owners, concurrency))
        print(
            f"plain client, {concurrency} at a time: {count} x (5 objects + status) in {plain_s:.1f} s", flush=True
        )
        await settled(client, "plain", count)
        kubectl("delete", "modeldeployments", "--all", "--namespace", "plain", "--wait=false")
        await write(client, map(manifest, ["fleet"] * count, range(count)), concurrency)
        with tempfile.TemporaryDirectory() as folder:
            await measure_operator(kubectl, client, Path(folder), count, plain_s, idle_s)


async def measure_operator(
    kubectl: Kubectl, client: KubeClient, folder: Path, count: int, plain_s: float, idle_s: float
) -> None:
    """Print how long the operator takes, then its memory and requests when all is done."""
    operator = OperatorProcess.start(kubeconfig_of(kubectl, folder), folder, server_image=IMAGE)
    operator.wait_until_leading()
    empty_mib = memory_mib(operator)
    fleet_s = await timed(converged(client, count))
    print(f"operator: {count} ModelDeployments converge in {fleet_s:.1f} s", flush=True)
    print(f"ratio: {fleet_s / plain_s:.2f}", flush=True)
    await settled(client, "fleet", count)
    full_mib = memory_mib(operator)
    each_kib = 1024 * (full_mib - empty_mib) / count
    print(f"operator memory: {full_mib:.0f} MiB, {each_kib:.0f} KiB for each ModelDeployment", flush=True)
    audit = AuditLog.of(kubectl.kubeconfig)
    await asyncio.sleep(idle_s)
    entries = list(audit.entries())
    leases = sum(entry["objectRef"]["resource"] == "leases" for entry in entries)
    print(f"idle: {len(entries) / idle_s:.2f} requests/s, {leases / idle_s:.2f} of them for the Lease")
    operator.stop()


def manifest(namespace: str, number: int) -> dict[str, Any]:
    """Return a ModelDeployment whose objects outlive it."""
    body = model_deployment(f"model-{number}", deletionPolicy="Orphan")
    return {**body, "metadata": {**body["metadata"], "namespace": namespace}}


async def write_plainly(client: KubeClient, owners: Iterable[dict[str, Any]], concurrency: int) -> None:
    """Write what the operator would, without watching, looking or waiting."""

    async def write_one(body: dict[str, Any]) -> None:
        owner = parse(body)
        for view in children_of(owner, Observed(), Decision(revision_of(owner.spec)), Defaults(IMAGE)):
            await client.apply(render(view, owner), field_manager="bench")
        status = status_of(Resolved(owner), Observed(), None, datetime.now(UTC))
        await client.replace_status({**body, "status": status})

    await side_by_side(write_one, owners, concurrency)


async def write(client: KubeClient, manifests: Iterable[dict[str, Any]], concurrency: int) -> list[dict[str, Any]]:
    """Apply the manifests; return the objects."""
    written: list[dict[str, Any]] = []

    async def write_one(body: dict[str, Any]) -> None:
        written.append(await client.apply(body, field_manager="bench"))

    await side_by_side(write_one, manifests, concurrency)
    return written


async def side_by_side(
    work: Callable[[dict[str, Any]], Awaitable[None]], items: Iterable[dict[str, Any]], concurrency: int
) -> None:
    """Work on the items, several at a time."""
    todo = iter(items)

    async def worker() -> None:
        for item in todo:
            await work(item)

    await asyncio.gather(*(worker() for _ in range(concurrency)))


async def converged(client: KubeClient, count: int) -> None:
    """Return once every ModelDeployment has told of its present spec, which it does when its objects are made."""
    await until(client, MODEL_DEPLOYMENTS, "fleet", count, lambda m: m["status"].get("observedGeneration") == 1)


async def settled(client: KubeClient, namespace: str, count: int) -> None:
    """Return once Kubernetes' own controllers have nothing left to do."""
    await until(client, DEPLOYMENTS, namespace, count, lambda d: d.get("status", {}).get("replicas") == 1)


async def until(
    client: KubeClient, resource: Resource, namespace: str, count: int, done: Callable[[dict[str, Any]], bool]
) -> None:
    """Return once so many objects in the namespace are done; looking is cheap beside writing."""
    while True:
        found = await client.list(resource, namespace=namespace, resource_version="0", chunk=0)
        if sum(map(done, found.items)) >= count:
            return
        await asyncio.sleep(0.5)


async def timed(work: Awaitable[None]) -> float:
    """Return how many seconds the work took."""
    start = time.perf_counter()
    await work
    return time.perf_counter() - start


def memory_mib(operator: OperatorProcess) -> float:
    """Return the resident memory of the process."""
    status = Path(f"/proc/{operator.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def local(*arguments: str) -> str:
    """Run the local cluster tool."""
    command = [sys.executable, "-m", "local", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ).stdout


if __name__ == "__main__":
    main()
