"""Faults of a local cluster's control plane: its API server dies or hangs, its store forgets what was before."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local import sandbox
from local.cluster import get
from tests.support.until import wait_until

REPOSITORY = Path(__file__).parents[2]
API_SERVER = "kube-apiserver"
ANSWERING = str(Path(__file__).with_name("answering.py"))
FORGET = """
import json, urllib.request
def ask(what, **asked):
    body = json.dumps(asked).encode()
    return json.load(urllib.request.urlopen(f"http://127.0.0.1:2379/v3/kv/{what}", body))
newest = ask("range", key="AA==")["header"]["revision"]
ask("compaction", revision=newest, physical=True)
"""


@dataclass(frozen=True)
class ControlPlane:
    """The control plane of the local cluster with this kubeconfig."""

    kubeconfig: Path

    @property
    def cluster(self) -> str:
        """The name of the cluster."""
        return self.kubeconfig.parent.name

    def kill_api_server(self) -> None:
        """End the API server without a word of warning; connections are refused from now on."""
        self._strike(signal.SIGKILL)
        # A dying process loses its name before its socket.
        wait_until(lambda: not self.listens() and sandbox.find(self.cluster, API_SERVER) is None)

    def freeze_api_server(self) -> None:
        """Stop the API server in its tracks: the kernel still takes connections, and nobody answers."""
        self._strike(signal.SIGSTOP)

    def answer_with(self, status: int) -> None:
        """Have something else in the place of the API server, which answers everything with that HTTP status."""
        self.kill_api_server()
        cluster = get(self.cluster)
        url, pki = urlsplit(cluster.server), cluster.data / "pki"
        where = (url.hostname or "", str(url.port))
        identity = (str(pki / "kube-apiserver.crt"), str(pki / "kube-apiserver.key"))
        # Not with the modules beside it: one of them is called as one of Python's own.
        command = (sys.executable, "-P", ANSWERING, *where, *identity, str(status))
        sandbox.start(self.cluster, cluster.data / "log" / "answering.log", *command)
        wait_until(self.listens)

    def forget_history(self) -> None:
        """Have etcd drop all versions of objects but the newest."""
        sandbox.enter(self.cluster, sys.executable, "-c", FORGET)

    def start_again(self) -> None:
        """Start what does not run, thaw what is frozen, and return when the cluster serves."""
        if impostor := sandbox.find(self.cluster, Path(sys.executable).name):
            os.kill(impostor, signal.SIGKILL)
            wait_until(lambda: not self.listens())
        if sandbox.find(self.cluster, API_SERVER):
            self._strike(signal.SIGCONT)
        # No node but the one that it has.
        command = [sys.executable, "-m", "local", "up", self.cluster, "--control-plane"]
        subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)

    def listens(self) -> bool:
        """Whether connections to the API server are made; whether anybody answers is another matter."""
        url = urlsplit(get(self.cluster).server)
        with suppress(OSError), socket.create_connection((url.hostname, url.port), timeout=1):
            return True
        return False

    def _strike(self, blow: signal.Signals) -> None:
        found = sandbox.find(self.cluster, API_SERVER)
        assert found, f"no {API_SERVER} runs in {self.cluster}"
        os.kill(found, blow)
