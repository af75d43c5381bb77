"""Somebody who sees all of a cluster but its Secrets, and tells whether a secret was in it.

Most of what there is to see is soon gone: logs with their pods, processes when they end, a status with the next
one. So it is looked at all the time.
"""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from typing import IO, TYPE_CHECKING, Any

from local import sandbox
from tests.e2e.secrecy import Planted, leaks
from tests.support.kubectl import KUBECTL, Kubectl

if TYPE_CHECKING:
    from collections.abc import Iterator

# Every version of these is read; of all other objects, those that are there at the end of a test.
WATCHED = ("modeldeployments", "deployments", "pods", "events", "configmaps")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
PAUSE_S = 0.2
STORAGE = "azurite"
"""The program of storage itself, which is no part of Modelfleet and has to know the account's key."""


@dataclass
class Tail:
    """What a file gets from now on; open, so that it can be read to its end although it was deleted."""

    file: IO[bytes]
    rest: bytes = b""

    def read(self) -> str:
        """The whole lines that are new."""
        whole, _, self.rest = (self.rest + self.file.read()).rpartition(b"\n")
        return whole.decode(errors="replace")


class Witness:
    """Sees the local cluster with this kubeconfig; what it notes goes into `folder`."""

    def __init__(self, kubeconfig: Path, folder: Path, planted: Planted) -> None:
        self.planted = planted
        self._kubectl = Kubectl(kubeconfig)
        self._data, self._folder = kubeconfig.parent, folder
        self._kinds = ",".join(self._kubectl("api-resources", "--verbs=list", "-o", "name").split())
        self._proc = Path(f"/proc/{sandbox.init(self._data.name)}/root/proc")
        self._tails: dict[Path, Tail] = {}
        self._processes: dict[str, str] = {}
        self._watches: dict[str, subprocess.Popen[bytes]] = {}
        self._lock, self._end = Lock(), Event()
        self._follow(is_new=False)
        self._thread = Thread(target=self._look, daemon=True)
        self._thread.start()

    def leaks(self) -> list[str]:
        """Where a secret was seen since the last time."""
        assert self._thread.is_alive()
        with self._lock:
            texts = {f"the file {path}": tail.read() for path, tail in self._tails.items()}
            for text, place in self._processes.items():
                texts[place] = f"{texts.get(place, '')}\n{text}"
            self._forget()
        return leaks(self.planted.names(), texts | dict(self._objects()))

    def close(self) -> None:
        """See no more."""
        self._end.set()
        self._thread.join()
        for watch in self._watches.values():
            watch.kill()
            watch.wait()

    def _look(self) -> None:
        while not self._end.wait(PAUSE_S):
            with self._lock:
                self._watch()
                self._follow(is_new=True)
                self._processes.update(self._running())

    def _watch(self) -> None:
        """The API server ends a watch now and then."""
        for kind in WATCHED:
            if kind not in self._watches or self._watches[kind].poll() is not None:
                command = [str(KUBECTL), f"--kubeconfig={self._kubectl.kubeconfig}", "get", kind, "-A", "--watch"]
                with (self._folder / f"{kind}.json").open("ab") as seen:
                    self._watches[kind] = subprocess.Popen([*command, "-o", "json"], stdout=seen, stderr=seen)

    def _follow(self, *, is_new: bool) -> None:
        """Logs of containers and of the cluster's own programs, and whatever was watched."""
        logs = [*_files(self._data / "var/log/pods"), *_files(self._data / "log")]
        for path in (*logs, self._data / "audit.log", *self._folder.iterdir()):
            with suppress(FileNotFoundError):
                if path not in self._tails:
                    self._tails[path] = Tail(path.open("rb"))
                    self._tails[path].file.seek(0, 0 if is_new else 2)

    def _running(self) -> Iterator[tuple[str, str]]:
        """Arguments and environment of each process of node and pods, and whose they are."""
        for folder in self._proc.glob("[0-9]*"):
            with suppress(OSError):
                names = ("cmdline", "environ")
                command, environment = ((folder / name).read_text(errors="replace") for name in names)
                program = Path(command.partition("\0")[0]).name
                if STORAGE not in command:
                    yield command, f"the arguments of {program}"
                    yield environment, f"the environment of {program}"

    def _forget(self) -> None:
        self._processes.clear()
        for path, tail in list(self._tails.items()):
            if not path.exists():
                tail.file.close()
                del self._tails[path]

    def _objects(self) -> Iterator[tuple[str, str]]:
        for found in json.loads(self._kubectl("get", self._kinds, "-A", "-o", "json"))["items"]:
            about = found["metadata"]
            place = f"{found['kind']} {about.get('namespace', '')}/{about['name']}"
            yield place, json.dumps(in_public(found), ensure_ascii=False)


def _files(folder: Path) -> Iterator[Path]:
    """All below the folder; unlike a glob, it does not mind that folders vanish meanwhile."""
    return (Path(below, name) for below, _, names in os.walk(folder) for name in names)


def in_public(found: dict[str, Any]) -> dict[str, Any]:
    """The object without what a Secret is for, which kubectl repeats in an annotation."""
    if found["kind"] != "Secret":
        return found
    shown = {name: value for name, value in found.items() if name not in ("data", "stringData")}
    about = found["metadata"]
    notes = {name: text for name, text in about.get("annotations", {}).items() if name != LAST_APPLIED}
    return {**shown, "metadata": {**about, "annotations": notes}}
