"""``modelfleet import``: print ModelDeployments that replace what somebody has."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from modelfleet.cli import helm_values, yaml_text

if TYPE_CHECKING:
    from modelfleet.core.manifest import Manifest

STDIN = "-"
REFUSED = 2

_DESCRIPTION = """\
Print the ModelDeployment that replaces a release of the chart gen-ml-api, from the template project
aml_aks_generic_model_deployment. What cannot be carried over is told on stderr, and in comments. No secret is
printed. The values that a release runs with are printed by
  helm get values RELEASE --namespace NAMESPACE --all --output yaml
"""


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``import`` and what can be imported."""
    imports = commands.add_parser("import", help="print ModelDeployments that replace what you have")
    sources = imports.add_subparsers(title="sources", metavar="SOURCE", required=True)
    values = sources.add_parser(
        "helm-values",
        help="the values of a release of the old template's chart, gen-ml-api",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_arguments(values)
    values.set_defaults(run=_helm_values)


def _add_arguments(values: argparse.ArgumentParser) -> None:
    values.add_argument("file", metavar="FILE", help=f"the values, as YAML; {STDIN} reads standard input")
    values.add_argument(
        "--model",
        metavar="NAME[:VERSION]",
        action="append",
        default=[],
        help="a model that clients name in their requests, as it is registered in the workspace; "
        "may be given several times; without a version the latest is served, as the old server did",
    )
    values.add_argument("--name", default="", help="of the ModelDeployment; by default that of the only model")
    values.add_argument("--namespace", default="", help="of what is printed; by default none is written")


def _helm_values(chosen: argparse.Namespace) -> int:
    wanted = helm_values.Wanted(chosen.name, chosen.namespace, tuple(chosen.model))
    try:
        migration = helm_values.convert(_mapping(chosen.file), wanted)
    except Unusable as error:
        return _refuse([str(error)])
    if migration.obstacles:
        return _refuse(migration.obstacles)
    sys.stdout.write(yaml_text.written(migration.manifests, migration.comments))
    _tell(migration.remarks)
    return 0


class Unusable(Exception):
    """The file does not hold values, said in a sentence."""


def _mapping(file: str) -> Manifest:
    """Return the values in ``file``. Raises Unusable."""
    name = "standard input" if file == STDIN else file
    try:
        found = yaml_text.read(sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes())
    except OSError as error:
        raise Unusable(f"{name} cannot be read: {error.strerror}.") from None
    except yaml_text.NotYaml as error:
        raise Unusable(f"{name} is not a YAML document{error}: write it as helm get values prints it.") from None
    if found is not None and not isinstance(found, dict):
        raise Unusable(f"{name} holds no values: write names and values, as helm get values prints them.")
    return found or {}


def _refuse(sentences: Iterable[str]) -> int:
    _tell(sentences)
    return REFUSED


def _tell(sentences: Iterable[str]) -> None:
    sys.stderr.writelines(f"modelfleet: {sentence}\n" for sentence in sentences)
