"""The command line: one subcommand for each thing that can be asked for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from modelfleet.cli import cluster_command, import_command, rollouts

PLUGIN = "kubectl-modelfleet"
"""The name by which kubectl finds the command, as `kubectl modelfleet`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the subcommand that ``arguments`` name; return 0, 1 when it is refused, or 2 when what was given cannot
    be used.
    """
    chosen = parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = chosen.run
    return run(chosen)


def parser() -> argparse.ArgumentParser:
    """Return the parser with all subcommands; each sets ``run``."""
    whole = argparse.ArgumentParser(prog=_called(), description="Work with ModelDeployments.", allow_abbrev=False)
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    rollouts.add_to(commands)
    cluster_command.add_to(commands)
    import_command.add_to(commands)
    return whole


def _called() -> str:
    return "kubectl modelfleet" if Path(sys.argv[0]).name == PLUGIN else "modelfleet"


if __name__ == "__main__":
    sys.exit(main())
