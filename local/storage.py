"""Azure Blob storage for a cluster: Azurite, run beside the control plane.

Pods reach it as http://demo.blob.svc.cluster.local:10000/CONTAINER/BLOB, where Azurite takes the account from the
host's name. The host reaches the same blobs as http://NODE_IP:10000/demo/CONTAINER/BLOB, or with that Host header.
A SAS is good at both, because it signs the account and the blob, not the host.
"""

import os
import shutil
import signal
import socket
from contextlib import suppress
from pathlib import Path

from local import components, objects, sandbox
from local.build import HERE
from local.cluster import CACHE, Cluster
from local.shell import run, say, wait

ACCOUNT = "demo"
# No secret: it guards test data on this machine.
KEY = "bW9kZWxmbGVldC1kZW1vLWtleS1mb3ItdGVzdHMtb25seS1ub3QtYS1zZWNyZXQtYXQtYWxsLTAxMjM0NTY3ODk="
PORT = 10000


def up(cluster: Cluster, data: Path | None, tls: tuple[Path, Path] | None) -> None:
    """Starts the storage, unless it runs, and names it in the cluster."""
    if not find(cluster):
        start(cluster, data or cluster.data / "azurite", tls)
    wait(f"Azurite (see {components.log(cluster, 'azurite')})", lambda: answers(cluster))
    announce(cluster, cluster)


def announce(cluster: Cluster, owner: Cluster) -> None:
    """Names in a cluster the storage that runs beside it or another one, so that URLs mean the same in both."""
    objects.apply_namespace(cluster, "blob")
    objects.apply_service(cluster, "blob", ACCOUNT, [("blob", PORT, "TCP")], address=owner.node_ip)


def start(cluster: Cluster, data: Path, tls: tuple[Path, Path] | None) -> None:
    """Starts Azurite; with a certificate it speaks https and takes OAuth tokens too."""
    data.mkdir(parents=True, exist_ok=True)
    secure = ["--cert", str(tls[0].resolve()), "--key", str(tls[1].resolve()), "--oauth", "basic"] if tls else []
    # New SDKs ask for API versions that Azurite does not know yet.
    flags = ["--silent", "--disableTelemetry", "--skipApiVersionCheck", *secure]
    where = ["--blobHost", cluster.node_ip, "--blobPort", str(PORT), "--location", str(data.resolve())]
    log, accounts = components.log(cluster, "azurite"), {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    sandbox.start(cluster.name, log, "node", str(program()), *where, *flags, env=accounts)


def down(cluster: Cluster) -> None:
    """Ends the storage, and gives it the time to write what it knows."""
    if pid := find(cluster):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        wait("the end of Azurite", lambda: not find(cluster), seconds=20)


def connection_string(cluster: Cluster, scheme: str) -> str:
    """What an Azure client on the host needs."""
    endpoint = f"{scheme}://{cluster.node_ip}:{PORT}/{ACCOUNT}"
    return f"DefaultEndpointsProtocol={scheme};AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={endpoint};"


def find(cluster: Cluster) -> int | None:
    """The process of the cluster's Azurite."""
    return sandbox.find(cluster.name, "node")


def answers(cluster: Cluster) -> bool:
    """Whether Azurite takes connections."""
    with suppress(OSError), socket.create_connection((cluster.node_ip, PORT), timeout=1):
        return True
    return False


def program() -> Path:
    """Azurite's entry point, installed into the cache the first time."""
    source = HERE / "azurite"
    version = (source / "package.json").read_text().split('"azurite": "')[1].split('"')[0]
    folder = CACHE / "azurite" / version
    if not folder.exists():
        say(f"installing Azurite {version}")
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, partial)
        run("npm", "ci", "--prefix", partial, "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund")
        partial.rename(folder)
    return folder / "node_modules/azurite/dist/src/blob/main.js"
