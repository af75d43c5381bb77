"""What members cost a hub, with fifty real API servers: ``python -m bench.members``.

One ModelDeployment serves in all of them. Measured with a few members, then more, on one operator: its memory, its
requests to each member when there is nothing to do, and how long after a change in one of them the status on the
hub tells of it. What counts is how the cost of a member grows with their number.

The members have no controllers and no pods: each is a kube-apiserver of its own on the hub's etcd, and the
benchmark writes what a Deployment controller would.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.operator import local, memory_mib, timed, until
from local import components, sandbox
from local.cluster import get
from modelfleet.core.manifest import Manifest
from modelfleet.kube.auth import connect
from modelfleet.kube.client import DEPLOYMENTS, MODEL_DEPLOYMENTS, KubeClient
from tests.support.audit import AuditLog
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.members import ACCOUNT, RIGHTS, Member, description, grant
from tests.support.modeldeployments import apply, model_deployment
from tests.support.operator import SYSTEM, OperatorProcess, install, kubeconfig_of

CLUSTER = "modelfleet-bench"
NAMESPACE = "default"
FIRST_PORT = 7000
CHANGES = 30
LOOK_EVERY_S = 0.01
USER = f"system:serviceaccount:{SYSTEM}:{ACCOUNT}"


@dataclass(frozen=True)
class Cost:
    """What was measured with so many members."""

    members: int
    memory_mib: float
    idle_requests_per_s: float
    noticed_s: list[float]

    def __str__(self) -> str:
        """Return a line for people."""
        memory, rate = self.memory_mib / self.members, self.idle_requests_per_s / self.members
        usual, worst = 1000 * statistics.median(self.noticed_s), 1000 * max(self.noticed_s)
        return (
            f"{self.members:3} members: {memory:.2f} MiB and {rate:.2f} requests/s each when idle, "
            f"a change is told after {usual:.0f} ms (at most {worst:.0f})"
        )


def main() -> None:
    """Start a hub, measure with more and more members, and take all down again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, nargs="+", default=[10, 25, 50], help="default %(default)s")
    parser.add_argument("--idle-seconds", type=float, default=60)
    args = parser.parse_args()
    local("up", CLUSTER, "--control-plane")
    try:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(Hub(Path(folder)), args.members, args.idle_seconds))
    finally:
        local("down", CLUSTER)


async def measure(hub: Hub, counts: Iterable[int], idle_s: float) -> None:
    """Print a line for each number of members, and how the cost of each has grown."""
    operator = hub.start_operator()
    empty_mib = memory_mib(operator)
    print(f"operator without members: {empty_mib:.0f} MiB", flush=True)
    costs = []
    for count in counts:
        members = hub.members(count)
        apply(hub.kubectl, model_deployment(regions=[{"name": member.region} for member in members]))
        async with await connect(hub.kubeconfig, None) as client:
            await serve(client, members)
            noticed = [await noticing(client, member) for member in random.choices(members, k=CHANGES)]
        logs = [AuditLog(audit_log(member.name), USER) for member in members]
        await asyncio.sleep(idle_s)
        idle = sum(len(list(log.entries())) for log in logs) / idle_s
        costs.append(Cost(count, memory_mib(operator) - empty_mib, idle, noticed))
        print(costs[-1], flush=True)
    first, last = costs[0], costs[-1]
    memory = (last.memory_mib / last.members) / (first.memory_mib / first.members)
    noticed_ratio = statistics.median(last.noticed_s) / statistics.median(first.noticed_s)
    print(
        f"from {first.members} to {last.members} members: the memory of each {memory:.2f} times, "
        f"the time until a change is told {noticed_ratio:.2f} times"
    )
    assert operator.stop() == 0


@dataclass(frozen=True)
class Hub:
    """The cluster with the operator; ``folder`` is where credentials and logs are kept."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return get(CLUSTER).kubeconfig

    @property
    def kubectl(self) -> Kubectl:
        """kubectl as the administrator."""
        return Kubectl(self.kubeconfig, NAMESPACE)

    def start_operator(self) -> OperatorProcess:
        """Start an operator that looks for members among Argo CD's."""
        system = Kubectl(self.kubeconfig, SYSTEM)
        install(system)
        system("apply", "-f", RIGHTS)
        kubeconfig = kubeconfig_of(system, self.folder)
        variables = {"MODELFLEET_ARGOCD_NAMESPACE": SYSTEM}
        return OperatorProcess.start(kubeconfig, self.folder, variables=variables).wait_until_leading()

    def members(self, count: int) -> list[Member]:
        """Return so many members; those that do not run yet are started, and described to the hub."""
        members = [self._member(number) for number in range(count)]
        for number, member in enumerate(members):
            if not member.kubeconfig.exists():
                self._start(number, member)
                print(f"  {member.name} runs", flush=True)
        return members

    def _member(self, number: int) -> Member:
        name = f"member-{number:02}"
        return Member(name, f"region-{number:02}", self.folder / f"{name}.kubeconfig")

    def _start(self, number: int, member: Member) -> None:
        cluster = get(CLUSTER)
        own = (
            f"--etcd-prefix=/{member.name}",
            f"--secure-port={FIRST_PORT + number}",
            f"--audit-log-path={audit_log(member.name)}",
        )
        command = [*components.kube_apiserver(cluster), *own]
        sandbox.start(cluster.name, cluster.data / f"log/{member.name}.log", *command)
        text = self.kubeconfig.read_text().replace(
            f"{cluster.node_ip}:6443", f"{cluster.node_ip}:{FIRST_PORT + number}"
        )
        member.kubeconfig.write_text(text)
        is_ready = partial(member.kubectl().run, "get", "--raw", "/readyz")
        eventually(lambda: is_ready().returncode == 0, within_s=120)
        grant(member)
        Kubectl(self.kubeconfig, SYSTEM)("apply", "-f", "-", stdin=json.dumps(description(member)))


def audit_log(name: str) -> Path:
    """Return where a member notes what it was asked."""
    return get(CLUSTER).data / f"{name}.audit.log"


async def serve(hub: KubeClient, members: Iterable[Member]) -> None:
    """Have all pods serve in all members; return once the hub tells so."""
    for member in members:
        await write_ready(member, is_ready=True)
    for member in members:
        await until_told(hub, member, is_ready=True)


async def noticing(hub: KubeClient, member: Member) -> float:
    """Return the seconds from a pod that is lost in a member until the hub tells of it."""
    await write_ready(member, is_ready=False)
    passed = await timed(until_told(hub, member, is_ready=False))
    await write_ready(member, is_ready=True)
    await until_told(hub, member, is_ready=True)
    return passed


async def until_told(hub: KubeClient, member: Member, *, is_ready: bool) -> None:
    """Return once the hub says that it serves in a member, or does not."""
    while True:
        if any(entry["name"] == member.region and entry["ready"] == is_ready for entry in await told(hub)):
            return
        await asyncio.sleep(LOOK_EVERY_S)


async def told(hub: KubeClient) -> list[Manifest]:
    """Return what the hub tells of the regions."""
    body = await hub.get(MODEL_DEPLOYMENTS, NAMESPACE, "claims")
    entries: list[Manifest] = (body or {}).get("status", {}).get("regions", [])
    return entries


async def write_ready(member: Member, *, is_ready: bool) -> None:
    """Write the status of a complete Deployment in a member, as its controller would."""
    async with await connect(member.kubeconfig, None) as client:
        await until(client, DEPLOYMENTS, NAMESPACE, 1, lambda _: True)
        body = await client.get(DEPLOYMENTS, NAMESPACE, "claims") or {}
        counts = {"readyReplicas": 1, "availableReplicas": 1} if is_ready else {}
        status = {
            "observedGeneration": body["metadata"]["generation"],
            "replicas": 1,
            "updatedReplicas": 1,
            "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}],
            **counts,
        }
        await client.replace_status({**body, "status": status})


if __name__ == "__main__":
    main()
