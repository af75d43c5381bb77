"""Virtual environments with exactly the packages that a requirements file pins, made once and then cached."""

import hashlib
import os
import platform
import shutil
import sys
from pathlib import Path

from local.cluster import CACHE
from local.images import TREE
from local.shell import Failure, locked, run, say

VENVS = CACHE / "venvs"


def python(requirements: Path) -> Path:
    """The interpreter of the environment; a Failure tells what could not be installed.

    Every requirement has to carry its version and hashes. Only one process at a time makes an environment; others
    that want the same wait for it.
    """
    folder = VENVS / f"{requirements.stem}-{fingerprint(requirements)}"
    with locked(folder.with_suffix(".lock")):
        if not interpreter(folder).exists():
            create(folder, requirements)
    return interpreter(folder)


def fingerprint(requirements: Path) -> str:
    """What changes with the packages and with the Python that they are for."""
    here = f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}\n"
    return hashlib.sha256(here.encode() + requirements.read_bytes()).hexdigest()[:12]


def interpreter(folder: Path) -> Path:
    """Where the environment in a folder has its Python."""
    return folder / "bin/python"


def create(folder: Path, requirements: Path) -> None:
    """Makes the environment beside its place and then puts it there, whole."""
    say(f"installing what {os.path.relpath(requirements)} pins: some seconds to minutes, then never again")
    # A uv that outlived its killed parent may still write to the folder of that run.
    partial = folder.with_suffix(f".partial-{os.getpid()}")
    for leftover in (*VENVS.glob(f"{folder.name}.partial-*"), folder):
        shutil.rmtree(leftover, ignore_errors=True)
    run(uv(), "venv", "--quiet", "--no-project", "--relocatable", "--python", sys.executable, partial)
    install = ("pip", "install", "--quiet", "--require-hashes", "--compile-bytecode")
    run(uv(), *install, "--python", interpreter(partial), "--requirement", requirements)
    partial.rename(folder)


def uv() -> Path:
    """The program that makes environments: the project's own, or one on the PATH."""
    for found in (TREE / ".venv/bin/uv", shutil.which("uv")):
        if found and Path(found).exists():
            return Path(found)
    raise Failure("uv is not installed: make .venv installs it")
