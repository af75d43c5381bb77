"""The command line: one subcommand for each thing that can be asked for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from modelfleet.cli import import_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the subcommand that ``arguments`` name; return 0, or 2 when what was given cannot be used."""
    chosen = parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = chosen.run
    return run(chosen)


def parser() -> argparse.ArgumentParser:
    """Return the parser with all subcommands; each sets ``run``."""
    whole = argparse.ArgumentParser(
        prog="modelfleet", description="Work with ModelDeployments.", allow_abbrev=False
    )
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    import_command.add_to(commands)
    return whole


if __name__ == "__main__":
    sys.exit(main())
