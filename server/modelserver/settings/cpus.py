"""How many CPUs this process may use: the container's limit, where it has one, not the node's."""

from __future__ import annotations

import math
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def usable_cpus(root: Path = CGROUPS) -> int:
    """Whole CPUs, at least 1: what the scheduler allows, or less where a cgroup (v2 or v1) has a quota."""
    allowed = len(os.sched_getaffinity(0))
    quota = cpu_quota(root)
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def cpu_quota(root: Path = CGROUPS) -> float | None:
    """CPUs that the cgroup may use per second of time; None means as many as there are."""
    if text := _read(root / "cpu.max"):  # v2: "200000 100000", or "max 100000"
        quota, _, period = text.partition(" ")
    else:
        quota = _read(root / "cpu" / "cpu.cfs_quota_us")  # v1: "200000", or "-1"
        period = _read(root / "cpu" / "cpu.cfs_period_us")
    if not quota.isdigit() or not period.isdigit() or period == "0":
        return None
    return int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
