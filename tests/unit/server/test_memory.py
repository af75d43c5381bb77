"""The memory bound is the container's limit."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from modelserver.settings.memory import memory_limit, resident_bytes

if TYPE_CHECKING:
    from pathlib import Path

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("file", "text", "limit"),
    [
        ("memory.max", "134217728\n", 128 * 2**20),
        ("memory.max", "max\n", MACHINE),
        ("memory/memory.limit_in_bytes", "134217728\n", 128 * 2**20),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", MACHINE),
        ("memory.max", "nonsense", MACHINE),
    ],
)
def test_the_limit_is_read_from_either_version_of_cgroups(
    tmp_path: Path, file: str, text: str, limit: int
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text)
    assert memory_limit(tmp_path) == limit


def test_without_a_limit_it_is_the_memory_that_there_is(tmp_path: Path) -> None:
    assert memory_limit(tmp_path) == MACHINE


def test_what_is_used_counts_from_when_it_is_touched() -> None:
    before = resident_bytes()
    used = np.ones(64 * 2**20, np.uint8)
    assert resident_bytes() - before > 0.9 * used.nbytes
