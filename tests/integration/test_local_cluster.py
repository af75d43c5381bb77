"""The local clusters: real ones, that leave the machine as they found it."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import api, cluster, components, sandbox
from local.shell import run, wait

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and cgroups are for root")

TREE = Path(__file__).parents[2]
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "one"},
    "spec": {
        "containers": [{"name": "one", "image": components.PAUSE_IMAGE, "imagePullPolicy": "Never"}],
        "terminationGracePeriodSeconds": 0,
    },
}


@pytest.fixture
def name() -> Iterator[str]:
    name = f"test-{os.getpid()}"
    yield name
    local("down", name)


def test_a_control_plane_comes_up_answers_and_goes_without_a_trace(name: str) -> None:
    local("up", name, "--control-plane", "--region", "northeurope")
    known = cluster.get(name)
    assert known.region == "northeurope"
    assert api.call(known, "GET", "/readyz") == (200, "ok")
    assert traces(known)

    local("down", name)

    assert traces(known) == []


def test_up_repairs_what_died_and_nothing_else(name: str) -> None:
    local("up", name, "--control-plane")
    known = cluster.get(name)
    before = {program: sandbox.find(name, program) for program in components.CONTROL_PLANE}
    kill(before["kube-apiserver"])

    local("up", name, "--control-plane")

    after = {program: sandbox.find(name, program) for program in components.CONTROL_PLANE}
    assert api.is_ready(known)
    assert {program for program in before if before[program] != after[program]} == {"kube-apiserver"}


@pytest.mark.cluster
def test_down_leaves_nothing_behind_after_a_crash(name: str) -> None:
    local("up", name)
    known = cluster.get(name)
    api.apply(known, "/api/v1/namespaces/default/pods", POD)
    wait("the pod", lambda: pod_is_running(known), seconds=60)
    members = processes(known)
    victim = random.choice(sorted(members))
    print(f"killing {victim}, {sandbox.program_of(victim)}")  # noqa: T201
    kill(victim)

    local("down", name)

    assert traces(known) == []
    assert not [pid for pid in members if is_alive(pid)]


def local(*arguments: str) -> None:
    command = [sys.executable, "-m", "local", *arguments]
    done = subprocess.run(command, cwd=TREE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def kill(pid: int | None) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait("the end of the victim", lambda: not is_alive(pid), seconds=10)


def is_alive(pid: int) -> bool:
    """Whether a process still runs; a zombie, which waits for the machine's first process, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def pod_is_running(known: cluster.Cluster) -> bool:
    status, answer = api.call(known, "GET", "/api/v1/namespaces/default/pods/one")
    return status == 200 and json.loads(answer)["status"]["phase"] == "Running"


def processes(known: cluster.Cluster) -> set[int]:
    """The programs of the cluster, their shims, and what runs in its pods."""
    branches = [path for cgroup in sandbox.cgroups(known.name) for path in cgroup.rglob("cgroup.procs")]
    in_pods = {int(pid) for path in branches for pid in path.read_text().split()}
    return in_pods | set(sandbox.processes(known.name))


def traces(known: cluster.Cluster) -> list[str]:
    """Everything on the machine that tells of a cluster."""
    found = run("ps", "-eo", "args").splitlines() + Path("/proc/mounts").read_text().splitlines()
    found += run("ip", "netns").splitlines() + run("ip", "-4", "-oneline", "address").splitlines()
    found += run("ip", "route", "show", "table", "all").splitlines()
    found += run("iptables-save").splitlines()
    found += [str(folder) for folder in [*sandbox.cgroups(known.name), known.data] if folder.exists()]
    return [line for line in found if known.name in line or f"10.{200 + known.index}." in line]
