"""Where values of options come from: the command line, else the environment, else one YAML file, else defaults.

Every mistake names the option, the variable, or the file, line and key in which it was made.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from modelserver.settings.options import CONFIG, GROUPS, OPTIONS, Mistake, Option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Values = dict[str, object]

DESCRIPTION = """\
Serves ONNX models over HTTP and gRPC: POST /score, the Open Inference Protocol v2 under /v2, metrics under
/metrics; GET /docs lists the endpoints. The server is alive at once and ready when every model is loaded."""
EPILOG = """\
Every option can also be given as an environment variable (--max-body is MODELSERVER_MAX_BODY; several values are
separated by commas) or in a YAML file (max-body: 64Mi; several values are a list). The command line wins over the
environment, and that over the file. Sizes are written as in Kubernetes: 64Mi, 2Gi, 500M."""
# Kubernetes sets MODELSERVER_PORT for a Service called modelserver, unless the pod has enableServiceLinks: false.
SERVICE_LINK = ("tcp://", "udp://", "sctp://")


def values(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[argparse.ArgumentParser, Values]:
    """Every option's value by its key, and the parser that a mistake found later is reported to.

    Prints help or the mistake and raises SystemExit, as argparse does.
    """
    parser = _parser()
    given = {key.replace("_", "-"): value for key, value in vars(parser.parse_args(arguments)).items()}
    try:
        above = _from_environment(environment) | given
        file = above.get(CONFIG.key)
        below = _defaults() | (_from_file(Path(str(file))) if file else {})
    except Mistake as mistake:
        parser.error(str(mistake))
    return parser, below | above


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "modelserver",
        description=DESCRIPTION,
        epilog=EPILOG,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    _add(parser, CONFIG)
    for title, options in GROUPS.items():
        group = parser.add_argument_group(title)
        for option in options:
            _add(group, option)
    return parser


def _add(parser: argparse._ActionsContainer, option: Option) -> None:
    default = f" (default {option.default})" if option.default else ""
    parser.add_argument(
        option.name,
        type=option.read,
        action="append" if option.many else "store",
        metavar=option.metavar,
        help=(option.help + default).replace("%", "%%"),
    )


def _defaults() -> Values:
    return {option.key: _default(option) for option in OPTIONS}


def _default(option: Option) -> object:
    if option.default is None:
        return () if option.many else None
    return option.read(option.default)


def _from_environment(environment: Mapping[str, str]) -> Values:
    found = {}
    for option in (CONFIG, *OPTIONS):
        for variable, read in reversed(option.variables):
            text = environment.get(variable, "")
            if text and not text.startswith(SERVICE_LINK):
                parts = [part.strip() for part in text.split(",")] if option.many else [text.strip()]
                found[option.key] = _read(option, parts, variable, read)
    return found


def _from_file(path: Path) -> Values:
    from modelserver.settings.yaml_mapping import entries  # noqa: PLC0415  # most servers start without a file

    known = {option.key: option for option in OPTIONS}
    found: Values = {}
    for key, texts, line in entries(path):
        where = f"{path}, line {line}, {key}"
        if key not in known:
            raise Mistake(f"{where}: there is no such option; there is {', '.join(known)}")
        if key in found:
            raise Mistake(f"{where}: it is given twice")
        found[key] = _read(known[key], texts, where)
    return found


def _read(
    option: Option, texts: Sequence[str | None], where: str, read: Callable[[str], object] | None = None
) -> object:
    if None in texts or (len(texts) != 1 and not option.many):
        wanted = "a text or a list of them" if option.many else "one text or number"
        raise Mistake(f"{where}: {wanted} is expected, {option.metavar}")
    try:
        found = [(read or option.read)(text) for text in texts if text]
    except Mistake as error:
        raise Mistake(f"{where}: {error}") from None
    return found if option.many else found[0]
