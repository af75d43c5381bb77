"""Runs a module as ``python -m`` does, and writes where its main thread's time went:
``python -m bench.serving.profiled OUT MODULE ARGUMENT...``.
"""

from __future__ import annotations

import cProfile
import os
import runpy
import sys


def main() -> None:
    """Runs the module until it ends, also where it ends the process at once."""
    _, out, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    profiler = cProfile.Profile()
    at_once = os._exit

    def written_first(code: int) -> None:
        profiler.dump_stats(out)
        at_once(code)

    os._exit = written_first  # type: ignore[assignment]
    try:
        profiler.runcall(runpy.run_module, module, run_name="__main__", alter_sys=True)
    finally:
        profiler.dump_stats(out)


if __name__ == "__main__":
    main()
