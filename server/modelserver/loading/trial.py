"""Whether a model fits into the memory that is left, found out without putting the server at risk.

A model's files say little about what loading it takes: their size, or twenty times as much. Where that may be more
than there is, the model is first loaded in a process of its own, which may not use more than what is left.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from subprocess import DEVNULL
from typing import TYPE_CHECKING

from modelserver.errors import ModelFailed, ModelInvalid, ModelTooLarge
from modelserver.models.files import size_of
from modelserver.settings.memory import resident_bytes

if TYPE_CHECKING:
    from modelserver.settings.options import ModelSource

# Memory at the peak of loading ÷ size of the files, as measured: for weights (1.3 to 4.1), and for anything. The
# tables that ONNX Runtime makes of trees and vocabularies are up to 19 times as large as what they are made of.
WEIGHTS, ANYTHING = 4, 20
TOO_LARGE = 9
OUT_OF_MEMORY = ("bad_alloc", "Failed to allocate memory")
MIB = 2**20


def check_fits(source: ModelSource, limit: int | None, *, factor: int) -> None:
    """Raises ModelTooLarge when the model cannot be loaded within `limit` bytes for the whole process, and
    ModelInvalid when there is none. It is not tried where `factor` times its files fit.
    """
    if limit is None:
        return
    size, left = size_of(source.path), limit - resident_bytes()
    if size * factor > left and not _can_be_loaded(source, left):
        raise ModelTooLarge(
            f"the model '{source.name}' does not fit: loading its {_mib(size)} of files takes more than the "
            f"{_mib(left)} that are left of {_mib(limit)}; allow more memory or unload another model"
        )


def _can_be_loaded(source: ModelSource, left: int) -> bool:
    """Whether loading works with so much memory, or fails for another reason, which the server then meets too."""
    command = [sys.executable, "-m", __name__, source.name, source.version, str(source.path), str(left)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, env=environment, stdout=DEVNULL, stderr=DEVNULL, check=False)  # noqa: S603
    return done.returncode == 0


def _main(name: str, version: str, path: str, left: str) -> int:
    """Loads and runs a model within `left` bytes. Returns TOO_LARGE where that is not enough, or dies of it."""
    from modelserver.models.model import load  # noqa: PLC0415  # what it takes is counted before the limit is set

    data = _data_bytes() + int(left) - resident_bytes()
    if data < _data_bytes():
        return TOO_LARGE
    resource.setrlimit(resource.RLIMIT_DATA, (data, data))
    try:
        load(name, version, Path(path)).warm_up()
    except (ModelInvalid, ModelFailed) as error:
        return TOO_LARGE if any(text in str(error) for text in OUT_OF_MEMORY) else 0
    return 0


def _data_bytes() -> int:
    """What the kernel holds against RLIMIT_DATA."""
    return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()


def _mib(size: int) -> str:
    return f"{max(0, size) / MIB:,.0f} MiB"


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
