"""What is known about a cluster: its name, its addresses, its folder. No process is touched here."""

import dataclasses
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from local.shell import Failure, run, write

CLUSTERS = Path(os.environ.get("MODELFLEET_CLUSTERS", "/var/lib/modelfleet/clusters"))
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelfleet"
NAME = re.compile(r"[a-z]([-a-z0-9]{0,30}[a-z0-9])?")
REGION = "westeurope"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """One cluster; ``index`` sets its addresses apart from those of all others: 10.(200 + index).0.0/16."""

    name: str
    index: int
    region: str
    node: bool

    @property
    def data(self) -> Path:
        """The folder with everything that the cluster keeps on disk."""
        return CLUSTERS / self.name

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.data / "kubeconfig"

    @property
    def link(self) -> str:
        """The host's end of the cable to the cluster."""
        return f"mf-{self.index}"

    @property
    def network(self) -> str:
        """All addresses of the cluster."""
        return self.address("0.0/16")

    @property
    def services(self) -> str:
        """The range of the ClusterIPs."""
        return self.address("0.0/17")

    @property
    def pods(self) -> str:
        """The range of the pods."""
        return self.address("128.0/18")

    @property
    def host(self) -> str:
        """The host, as seen from the cluster."""
        return self.address("255.1")

    @property
    def node_ip(self) -> str:
        """The node and its control plane, as seen from everywhere."""
        return self.address("255.2")

    @property
    def server(self) -> str:
        """The URL of the API server, from the host and from pods."""
        return f"https://{self.node_ip}:6443"

    @property
    def dns(self) -> str:
        """The ClusterIP of the cluster's DNS."""
        return self.address("0.10")

    def address(self, rest: str) -> str:
        """An address or range of this cluster."""
        return f"10.{200 + self.index}.{rest}"

    def save(self) -> None:
        """Records the cluster in its folder."""
        write(self.data / "cluster.json", json.dumps(dataclasses.asdict(self)))


def find(name: str) -> Cluster | None:
    """The recorded cluster of that name."""
    record = CLUSTERS / name / "cluster.json"
    return Cluster(**json.loads(record.read_text())) if record.exists() else None


def get(name: str) -> Cluster:
    """The recorded cluster of that name, or a Failure that says how to make it."""
    if cluster := find(name):
        return cluster
    raise Failure(f"there is no cluster {name}: start it with `python3 -m local up {name}`")


def recorded() -> Iterator[Cluster]:
    """Every recorded cluster, by name."""
    for record in sorted(CLUSTERS.glob("*/cluster.json")):
        yield get(record.parent.name)


def choose(name: str, region: str | None, node: bool) -> Cluster:
    """The cluster to bring up: the recorded one, with a node if one is asked for now, or a new one."""
    if known := find(name):
        if region not in {None, known.region}:
            raise Failure(f"{name} is in {known.region}: to move it, run `python3 -m local down {name}` first")
        return dataclasses.replace(known, node=known.node or node)
    if not NAME.fullmatch(name):
        raise Failure(f"{name!r} cannot be a cluster's name: lower-case letters, digits and dashes, 32 at most")
    return Cluster(name, free_index(), region or REGION, node)


def free_index() -> int:
    """The lowest index whose addresses no cluster and no route of the host uses."""
    used = {cluster.index for cluster in recorded()}
    routes = run("ip", "-4", "route", "show", "table", "all")
    for index in range(50):
        if index not in used and not re.search(rf"\b10\.{200 + index}\.", routes):
            return index
    raise Failure("no network of 10.200.0.0 to 10.249.0.0 is free")
