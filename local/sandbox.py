"""The box a cluster lives in: a network, a PID and a mount namespace, and a branch of the cgroup tree.

The first process of the PID namespace holds the box open. When it dies, however it dies, the kernel ends every
process in the box and drops every mount: what is left to remove by hand is network, cgroups and folder.
Nothing is remembered about processes: they are found by the network namespace they are in.
"""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from local.cluster import Cluster
from local.shell import Failure, run, wait

NETNS = Path("/run/netns")
# Where Kubernetes and the CNI keep things whatever they are told; each box gets its own, and /var/log.
OWN_FOLDERS = ("/var/lib/kubelet", "/var/lib/cni")

# `trap '' CHLD` outlives exec: the kernel then reaps the orphans that PID 1 inherits. The private /run keeps
# the sockets of containerd's shims and the names of the pods' networks away from the host.
INIT = """
set -e
data=$1; shift
mount -t tmpfs tmpfs /run
for folder in "$@"; do mkdir -p "$data$folder" "$folder"; mount --bind "$data$folder" "$folder"; done
echo 1 >/proc/sys/net/ipv4/ip_forward
trap '' CHLD
exec sleep infinity
"""


def create(cluster: Cluster) -> None:
    """Makes the box, unless it stands already; what a crash left of an earlier one is removed first."""
    if init(cluster.name):
        return
    destroy(cluster.name)
    create_network(cluster)
    for cgroup in cgroups(cluster.name):
        create_cgroup(cgroup)
    log = cluster.data / "sandbox.log"
    command = ["setsid", "-f", "nsenter", f"--net={netns(cluster.name)}"]
    command += ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    start = 'log=$1; shift; exec "$@" >"$log" 2>&1 </dev/null'
    run("sh", "-c", start, "sh", log, *command, "sh", "-c", INIT, "sh", cluster.data, *OWN_FOLDERS, "/var/log")
    wait(f"the sandbox of {cluster.name} (see {log})", lambda: is_open(cluster.name), seconds=10)


def create_network(cluster: Cluster) -> None:
    """Joins the cluster to the host with one cable, and routes pods, ClusterIPs and node through it."""
    space = f"mf-{cluster.name}"
    run("ip", "netns", "add", space)
    run("ip", "link", "add", cluster.link, "type", "veth", "peer", "name", "eth0", "netns", space)
    run("ip", "address", "add", f"{cluster.host}/30", "dev", cluster.link)
    run("ip", "link", "set", cluster.link, "up")
    run("ip", "-n", space, "address", "add", f"{cluster.node_ip}/30", "dev", "eth0")
    run("ip", "-n", space, "link", "set", "lo", "up")
    run("ip", "-n", space, "link", "set", "eth0", "up")
    run("ip", "-n", space, "route", "add", "default", "via", cluster.host)
    run("ip", "route", "add", cluster.network, "via", cluster.node_ip)
    # For this cable alone, so that clusters reach each other and the host's own setting stays as it is.
    Path(f"/proc/sys/net/ipv4/conf/{cluster.link}/forwarding").write_text("1")
    # As in the cloud, other clusters see what serves at the node's address, not the pods and not the ClusterIPs.
    rule = ("PREROUTING", "-i", "eth0", "!", "-s", cluster.host, "!", "-d", cluster.node_ip)
    new = ("-m", "conntrack", "--ctstate", "NEW", "-j", "DROP")
    run("ip", "netns", "exec", space, "iptables", "-w", "-t", "mangle", "-A", *rule, *new)


def destroy(name: str) -> None:
    """Ends every process of the box and removes its network and cgroups; nothing of it need exist."""
    for pid in processes(name):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait(f"the end of all processes of {name}", lambda: not list(processes(name)), seconds=30)
    remove_network(name)
    for cgroup in cgroups(name):
        wait(f"the removal of {cgroup}", partial(remove_cgroup, cgroup), seconds=30)
    if not names():
        remove_shared()


def remove_network(name: str) -> None:
    """Removes the network namespace with its cable, and so every route and rule."""
    if netns(name).exists():
        with suppress(Failure):  # A crash may have come before the cable.
            run("ip", "-n", f"mf-{name}", "link", "delete", "eth0")
        run("ip", "netns", "delete", f"mf-{name}")


def remove_shared() -> None:
    """Removes what the last box leaves; not before, because a folder's removal unmounts it in every box."""
    for folder in OWN_FOLDERS:
        with suppress(OSError):  # The host has files in it.
            Path(folder).rmdir()
    # `ip netns` mounts this folder for its first namespace and forgets it there.
    if not any(NETNS.glob("*")) and NETNS.is_mount():
        run("umount", NETNS)


def start(name: str, log: Path, *command: str, env: Mapping[str, str] | None = None) -> None:
    """Starts a program that goes on running in the box, its output appended to the log."""
    detach = 'log=$1; shift; exec setsid -f "$@" >>"$log" 2>&1 </dev/null'
    log.parent.mkdir(parents=True, exist_ok=True)
    enter(name, "sh", "-c", detach, "sh", log, *command, env=env)
    with suppress(Failure):  # Whether it stays is for the caller to see; it takes a moment to appear.
        wait(command[0], lambda: find(name, Path(command[0]).name), seconds=1)


def enter(name: str, *command: str | Path, env: Mapping[str, str] | None = None) -> str:
    """Runs a program in the box and returns what it printed."""
    pid = init(name)
    if not pid:
        raise Failure(f"cluster {name} is not running: start it with `python3 -m local up {name}`")
    return run("nsenter", f"--target={pid}", "--mount", "--net", "--pid", *command, env=env)


def names() -> set[str]:
    """Every cluster of which a network namespace is left."""
    return {path.name.removeprefix("mf-") for path in NETNS.glob("mf-*")}


def serves_containers(name: str) -> bool:
    """Whether containerd answers in the box."""
    with suppress(Failure):
        return bool(enter(name, "ctr", "version"))
    return False


def init(name: str) -> int | None:
    """The process that holds the box open."""
    return next((pid for pid in processes(name) if pids(pid)[1:] == [1]), None)


def is_open(name: str) -> bool:
    """Whether the box is ready to be entered: its first process has made the mounts and gone to sleep."""
    pid = init(name)
    return pid is not None and Path(f"/proc/{pid}/comm").read_text().strip() == "sleep"


def find(name: str, program: str) -> int | None:
    """The process of a program that runs in the box itself, not in a pod."""
    return next((pid for pid in processes(name) if len(pids(pid)) == 2 and program_of(pid) == program), None)


def processes(name: str) -> Iterator[int]:
    """Every process in the box's network, pods on the host network included."""
    with suppress(OSError):
        network = netns(name).stat().st_ino
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (folder / "ns/net").stat().st_ino == network:
                    yield int(folder.name)


def pids(pid: int) -> list[int]:
    """The numbers of a process, from the host's namespace inwards."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return [int(number) for number in line.split()[1:]]
    return []


def program_of(pid: int) -> str:
    """The name of the program that a process runs."""
    with suppress(OSError):
        return Path(Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0]).name
    return ""


def netns(name: str) -> Path:
    """The handle of the box's network namespace."""
    return NETNS / f"mf-{name}"


def cgroups(name: str) -> list[Path]:
    """The cluster's branch in every cgroup hierarchy of the machine, version 1 or 2."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [Path(mount[1]) / f"modelfleet-{name}" for mount in mounts if mount[2] in {"cgroup", "cgroup2"}]


def create_cgroup(cgroup: Path) -> None:
    """Makes a branch that pods can use: version 1 makes cpusets empty, version 2 hands them no controllers."""
    cgroup.mkdir(exist_ok=True)
    controllers = cgroup.parent / "cgroup.controllers"
    if controllers.exists():
        for controller in controllers.read_text().split():
            (cgroup.parent / "cgroup.subtree_control").write_text(f"+{controller}")
    elif (cgroup / "cpuset.cpus").exists():
        for setting in ("cpuset.cpus", "cpuset.mems"):
            (cgroup / setting).write_text((cgroup.parent / setting).read_text())


def remove_cgroup(cgroup: Path) -> bool:
    """Removes a branch, leaves first; False while the kernel still counts a dying process in it."""
    for folder, _, _ in os.walk(cgroup, topdown=False):
        with suppress(OSError):
            Path(folder).rmdir()
    return not cgroup.exists()
