"""What the command line says, as one value."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelserver import termination

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"
MODEL = re.compile(rf"(?P<name>{NAME})(:(?P<version>{NAME}))?=(?P<path>.+)")
DEFAULT_VERSION = "1"  # clients of the protocol expect every model to have a version
MIB = 1024 * 1024

DESCRIPTION = """\
Serves ONNX models over HTTP: POST /score, the Open Inference Protocol v2 under /v2, metrics under /metrics.
GET /score shows what the models take. The server is alive at once and ready when every model is loaded."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model to serve: its name, its version (an opaque string) and its file or folder."""

    name: str
    version: str
    path: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be said about a server when it starts."""

    models: tuple[ModelSource, ...]
    host: str
    port: int
    request_timeout_s: float
    max_body_bytes: int
    termination_log: Path


def parse(arguments: Sequence[str]) -> Settings:
    """The settings in `arguments`. Prints help or a mistake and raises SystemExit, as argparse does."""
    parser = _parser()
    found = parser.parse_args(arguments)
    sources: list[ModelSource] = found.model
    if len({(source.name, source.version) for source in sources}) < len(sources):
        parser.error("two models have the same name and version; give them as NAME:VERSION=PATH")
    return Settings(
        models=tuple(sources),
        host=found.host,
        port=found.port,
        request_timeout_s=found.request_timeout,
        max_body_bytes=found.max_body * MIB,
        termination_log=found.termination_log,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("modelserver", description=DESCRIPTION)
    parser.add_argument(
        "--model",
        action="append",
        required=True,
        type=_source,
        metavar="NAME[:VERSION]=PATH",
        help="a model to serve, from an .onnx file or a folder with one; repeat for more. VERSION is any word "
        f"(default {DEFAULT_VERSION}); requests that name no version get the one given last",
    )
    parser.add_argument("--port", type=int, default=5000, help="default %(default)s; 0 takes a free one")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on, default %(default)s")  # noqa: S104
    parser.add_argument(
        "--request-timeout",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="for a request to arrive, for its answer, and for the last answers on SIGTERM; default %(default)g",
    )
    parser.add_argument(
        "--max-body", type=int, default=64, metavar="MIB", help="largest request body; default %(default)s MiB"
    )
    parser.add_argument(
        "--termination-log",
        type=Path,
        default=termination.DEFAULT,
        metavar="PATH",
        help="where to write why the server ended (default %(default)s); ignored where that cannot be written",
    )
    return parser


def _source(text: str) -> ModelSource:
    found = MODEL.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not NAME=PATH or NAME:VERSION=PATH; names are letters, digits, '.', '_' and '-'"
        )
    return ModelSource(found["name"], found["version"] or DEFAULT_VERSION, Path(found["path"]))
