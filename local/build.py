"""The programs a cluster is made of: Debian packages, and Go modules built into the cache."""

import dataclasses
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from local.cluster import CACHE
from local.shell import Failure, locked, run, say

HERE = Path(__file__).parent
PACKAGES = (
    *("buildah", "busybox-static", "conntrack", "containerd", "containernetworking-plugins", "debootstrap"),
    *("iproute2", "iptables", "openssl", "runc", "util-linux"),
)
HEARTBEAT_SECONDS = 15


@dataclasses.dataclass(frozen=True)
class Program:
    """A program to build from a Go module whose go.mod stands in a folder here."""

    name: str
    folder: Path
    module: str
    package: str

    @property
    def version(self) -> str:
        """The version of the module that go.mod names."""
        found = re.search(rf"{re.escape(self.module)} (v\S+)", (self.folder / "go.mod").read_text())
        if not found:
            raise Failure(f"{self.folder}/go.mod does not name {self.module}")
        return found[1]

    @property
    def path(self) -> Path:
        """Where the built program lies."""
        return CACHE / self.folder.name / self.version / "bin" / self.name


def kubernetes(name: str, package: str = "") -> Program:
    """A program of Kubernetes, or one that its module brings along."""
    return Program(name, HERE / "kubernetes", "k8s.io/kubernetes", package or f"k8s.io/kubernetes/cmd/{name}")


PROGRAMS = {
    program.name: program
    for program in (
        kubernetes("etcd", "go.etcd.io/etcd/server/v3"),
        kubernetes("kube-apiserver"),
        kubernetes("kube-controller-manager"),
        kubernetes("kube-scheduler"),
        kubernetes("kubelet"),
        kubernetes("kube-proxy"),
        Program("coredns", HERE / "coredns", "github.com/coredns/coredns", "."),
    )
}


def everything() -> None:
    """Installs and builds whatever is missing."""
    install_packages()
    build_programs()


def install_packages() -> None:
    """Installs the Debian packages that are missing."""
    installed = run("dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n").splitlines()
    missing = [package for package in PACKAGES if f"installed {package}" not in installed]
    if not missing:
        return
    if os.geteuid() != 0:
        raise Failure(f"only root can install what is missing: apt-get install {' '.join(missing)}")
    say(f"installing {', '.join(missing)}")
    run("apt-get", "update", "--quiet")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *missing, env=quiet)


def build_programs() -> None:
    """Builds the programs that are missing."""
    if all(program.path.exists() for program in PROGRAMS.values()):
        return
    if not shutil.which("go"):
        raise Failure("Kubernetes is built from source: install Go 1.25 or newer")
    version = PROGRAMS["kubelet"].version
    say(f"building Kubernetes {version} from its Go modules: some minutes the first time, then never again")
    for program in PROGRAMS.values():
        with locked(program.path.parent):
            if not program.path.exists():
                build_program(program)


def build_program(program: Program) -> None:
    """Builds one program, saying now and then that it is still at it; it appears whole or not at all."""
    partial = program.path.with_name(f".{program.name}.partial")
    release = "k8s.io/component-base/version.git"
    major, minor, _ = program.version.lstrip("v").split(".", 2)
    flags = f"-s -w -X {release}Version={program.version} -X {release}Major={major} -X {release}Minor={minor}"
    command = ["go", "build", "-trimpath", "-ldflags", flags, "-o", str(partial), program.package]
    started = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=program.folder,
        env={**os.environ, "CGO_ENABLED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as build:
        output = follow(build, f"  {program.name}", started)
    if build.returncode:
        raise Failure(f"{' '.join(command)}\n{output}")
    partial.replace(program.path)
    say(f"  {program.name}: {time.monotonic() - started:.0f} s")


def follow(build: subprocess.Popen[str], what: str, started: float) -> str:
    """Waits for a build and returns its output; a line now and then tells that it still runs."""
    while True:
        try:
            return build.communicate(timeout=HEARTBEAT_SECONDS)[0]
        except subprocess.TimeoutExpired:
            say(f"{what}: compiling, {time.monotonic() - started:.0f} s so far")
