"""What the machine says about itself and about processes, and which of its cores they may use."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path

PROC = Path("/proc")
# More than this for other processes, and a figure says less.
QUIET_CORES = 0.1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cores:
    """The cores that a program may use, all of them without a number."""

    numbers: tuple[int, ...] = ()

    @property
    def command(self) -> tuple[str, ...]:
        """What goes before a command, so that it stays on these cores."""
        return ("taskset", "--cpu-list", ",".join(map(str, self.numbers))) if self.numbers else ()


@dataclass(frozen=True)
class Series:
    """A way to share the machine between the server and who asks it."""

    name: str
    server: Cores
    client: Cores
    workers: int


# Core 0 is where most of the kernel's own work and the interrupts are.
SERIES = {
    series.name: series
    for series in (
        Series("pinned", server=Cores((1,)), client=Cores((0,)), workers=1),
        Series("shared", server=Cores((0, 1)), client=Cores((0, 1)), workers=2),
    )
}


@dataclass(frozen=True)
class Usage:
    """What a process and its descendants have used: seconds of CPU, MB resident, MB by fair shares (PSS)."""

    cpu_s: float
    rss_mb: float
    pss_mb: float


def usage(root: int) -> Usage:
    """What is used now. A process that ends meanwhile counts no longer."""
    processes = tree(root)
    return Usage(
        cpu_s=sum(map(cpu_seconds, processes)),
        rss_mb=sum(_kilobytes(pid, "Rss") for pid in processes) / 1024,
        pss_mb=sum(_kilobytes(pid, "Pss") for pid in processes) / 1024,
    )


def tree(root: int) -> list[int]:
    """The process and all of its descendants."""
    children = defaultdict(list)
    for folder in PROC.glob("[0-9]*"):
        if fields := _stat(int(folder.name)):
            children[int(fields[1])].append(int(folder.name))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of the process and of the children that it has outlived."""
    return sum(map(int, _stat(pid)[11:15])) / TICKS_PER_S


@dataclass(frozen=True)
class Moment:
    """Seconds so far: of the clock, of work by all cores, by a server, by programs started here that are gone."""

    clock_s: float
    busy_s: float
    server_s: float
    clients_s: float

    def since(self, earlier: Moment) -> Moment:
        """What has gone by since an earlier moment."""
        return Moment(*(now - then for now, then in zip(astuple(self), astuple(earlier), strict=True)))

    @property
    def other_cores(self) -> float:
        """How many cores worked for somebody else, or were lent to another virtual machine."""
        return (self.busy_s - self.server_s - self.clients_s) / self.clock_s


def moment(server: int) -> Moment:
    """Now, with the process of a server."""
    ticks = list(map(int, (PROC / "stat").read_text().splitlines()[0].split()[1:9]))
    idle = ticks[3] + ticks[4]
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy_s = (sum(ticks) - idle) / TICKS_PER_S
    return Moment(time.monotonic(), busy_s, usage(server).cpu_s, used.ru_utime + used.ru_stime)


def facts() -> dict[str, str]:
    """What the figures depend on: processor, cores, memory, kernel, Python."""
    model = _value(PROC / "cpuinfo", "model name")
    memory = int(_value(PROC / "meminfo", "MemTotal").split()[0]) / 1024**2
    return {
        "processor": model,
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}",
        "python": platform.python_version(),
    }


def _stat(pid: int) -> list[str]:
    """The fields behind the name of the program, which may itself hold spaces and brackets."""
    with suppress(OSError):
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return []


def _kilobytes(pid: int, name: str) -> int:
    with suppress(OSError):
        return int(_value(PROC / str(pid) / "smaps_rollup", name).split()[0])
    return 0


def _value(file: Path, name: str) -> str:
    """The value in the first `name: value` line."""
    lines: Iterable[str] = file.read_text().splitlines()
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "0")
