"""How much memory this process may use, and uses: the container's limit, where it has one, not the node's."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
LIMITS = (Path("memory.max"), Path("memory/memory.limit_in_bytes"))  # cgroup v2, v1
PROCESSES = Path("/proc")


def memory_limit(root: Path = CGROUPS) -> int:
    """Bytes that may be used before the kernel ends the process: the cgroup's limit, or else all there are.

    Without a limit, version 2 says "max" and version 1 a number that no machine reaches.
    """
    there_are = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [int(text) for path in LIMITS if (text := _read(root / path)).isdigit()]
    return min([there_are, *limits])


def resident_bytes() -> int:
    """Bytes of memory that this process and its children (those of a handler) occupy now."""
    children = " ".join(map(_read, PROCESSES.glob("self/task/*/children"))).split()
    sizes = [_read(PROCESSES / process / "statm").split() for process in ("self", *children)]
    return sum(int(size[1]) for size in sizes if size) * os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Returns what was freed to the system. The C library keeps small pieces, of which a forest has millions: its
    load left 280 MB behind, of which 160 were free.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl does not
    if trim:
        trim(0)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
