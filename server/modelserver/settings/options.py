"""The options of the server: their names, what they take, their defaults and their help, in one table."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from modelserver import termination

NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"
MODEL = re.compile(rf"(?P<name>{NAME})(:(?P<version>{NAME}))?=(?P<path>.+)")
HANDLER = re.compile(rf"((?P<name>{NAME})=)?(?P<path>.+)")
SIZE = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[KMG]i?)")
UNITS = {"K": 10**3, "Ki": 2**10, "M": 10**6, "Mi": 2**20, "G": 10**9, "Gi": 2**30}
DEFAULT_VERSION = "1"  # clients of the protocol expect every model to have a version
OFF = "off"


class Mistake(argparse.ArgumentTypeError):
    """A value that cannot be used; its text is the sentence to print."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model to serve: its name, its version (an opaque string) and its file or folder."""

    name: str
    version: str
    path: Path


@dataclass(frozen=True, slots=True)
class HandlerSource:
    """Python code to serve: its name, and its file (score.py) or the folder with it."""

    name: str
    path: Path


def model(text: str) -> ModelSource:
    """The model that NAME[:VERSION]=PATH says. Raises Mistake, as all readers of values here do."""
    found = MODEL.fullmatch(text)
    if not found:
        raise Mistake(
            f"{text!r} is not NAME=PATH or NAME:VERSION=PATH; names are letters, digits, '.', '_' and '-'"
        )
    return ModelSource(found["name"], found["version"] or DEFAULT_VERSION, Path(found["path"]))


def handler(text: str) -> HandlerSource:
    """The handler that [NAME=]PATH says; without a name it has that of its file or folder."""
    found = HANDLER.fullmatch(text)
    if not found:
        raise Mistake(f"{text!r} is not PATH or NAME=PATH")
    path = Path(found["path"])
    return HandlerSource(found["name"] or path.stem or "handler", path)


def port(text: str) -> int:
    """A port; 0 takes a free one."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise Mistake(f"{text!r} is not a port: a number from 0 (a free one) to 65535")
    return int(text)


def port_or_off(text: str) -> int | None:
    """A port, or None for `off`."""
    return None if text == OFF else port(text)


def seconds(text: str) -> float:
    """A time in seconds, more than 0."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 < found < math.inf:
        raise Mistake(f"{text!r} is not a time: a number of seconds above 0, like 30 or 0.5")
    return found


def milliseconds(text: str) -> float:
    """A time in seconds, of text that gives it in milliseconds."""
    try:
        return seconds(str(float(text) / 1000))
    except ValueError:
        raise Mistake(f"{text!r} is not a time: a number of milliseconds above 0, like 5000") from None


def count(text: str) -> int:
    """A number of things, at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise Mistake(f"{text!r} is not a whole number from 1 up")
    return int(text)


def size(text: str) -> int:
    """Bytes, written as Kubernetes does; a unit is asked for because nobody means 64 bytes by 64."""
    found = SIZE.fullmatch(text)
    bytes_ = int(float(found["number"]) * UNITS[found["unit"]]) if found else 0
    if not bytes_:
        raise Mistake(f"{text!r} is not a size: a number above 0 with a unit, like 64Mi or 1.5Gi")
    return bytes_


def size_or_off(text: str) -> int:
    """Bytes, or 0 for `off`."""
    return 0 if text == OFF else size(text)


def control(text: str) -> bool:
    """Whether models may be loaded and unloaded over the network: `explicit` or `none`, in Triton's words."""
    if text not in ("none", "explicit"):
        raise Mistake(f"{text!r} is neither 'none' nor 'explicit'")
    return text == "explicit"


@dataclass(frozen=True, slots=True)
class Option:
    """One option: `name` on the command line and, without its dashes, in the YAML file; `read` makes its value of
    text. `default` is text too, or None where the value is then None; with `many` the value is a tuple. `alias` is
    the environment variable by which Azure ML's server knows the same, and how to read that.
    """

    name: str
    read: Callable[[str], object]
    metavar: str
    help: str
    default: str | None = None
    many: bool = False
    alias: tuple[str, Callable[[str], object]] | None = None

    @property
    def key(self) -> str:
        """Its key in the YAML file."""
        return self.name.removeprefix("--")

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return "MODELSERVER_" + self.key.replace("-", "_").upper()

    @property
    def variables(self) -> tuple[tuple[str, Callable[[str], object]], ...]:
        """Its environment variables, from the strongest on, and how to read each."""
        return ((self.variable, self.read), *((self.alias,) if self.alias else ()))


GROUPS: dict[str, tuple[Option, ...]] = {
    "what is served": (
        Option(
            "--model",
            model,
            "NAME[:VERSION]=PATH",
            "a model, from an .onnx or .ort file or a folder with one; repeat for more. VERSION is any word "
            f"(without it, {DEFAULT_VERSION}); requests that name no version get the one given last",
            many=True,
        ),
        Option(
            "--models-dir",
            Path,
            "DIR",
            "a folder of models, as Triton lays it out: DIR/NAME/VERSION/model.onnx; DIR/NAME/model.onnx is "
            f"version {DEFAULT_VERSION}. The default version is the largest number",
        ),
        Option(
            "--model-control",
            control,
            "none|explicit",
            "explicit: models of --models-dir are loaded and unloaded by POST /v2/repository/models/NAME/load and "
            "/unload only; none: all are loaded at the start, and nobody can change that",
            "none",
        ),
        Option(
            "--memory-limit",
            size_or_off,
            "SIZE",
            "memory that this process may use, like 2Gi, or off: a model that would not fit is refused; without "
            "it, what the container may use",
        ),
        Option("--threads", count, "N", "runs of models side by side; without it, the CPUs that it may use"),
    ),
    "Python handlers": (
        Option(
            "--handler",
            handler,
            "[NAME=]PATH",
            "Azure ML's kind of code, init() and run(): a .py file, or a folder with score.py or main.py; may be "
            "all that is served. It runs in a process of its own",
            alias=("AZUREML_ENTRY_SCRIPT", handler),
        ),
        Option(
            "--handler-workers",
            count,
            "N",
            "processes that run it side by side",
            "1",
            alias=("WORKER_COUNT", count),
        ),
        Option(
            "--handler-timeout",
            seconds,
            "SECONDS",
            "for one answer of it, waiting included; what takes longer is ended",
            "25",
            alias=("SCORING_TIMEOUT_MS", milliseconds),
        ),
        Option(
            "--handler-memory",
            size_or_off,
            "SIZE",
            "memory that each of its processes may use, or off; without it, a share of half of --memory-limit",
        ),
    ),
    "network": (
        Option("--host", str, "ADDRESS", "where to listen; :: takes IPv4 as well", "0.0.0.0"),  # noqa: S104
        Option("--port", port, "PORT", "of HTTP; 0 takes a free one", "5000"),
        Option("--grpc-port", port_or_off, "PORT", "of gRPC; 0 takes a free one, off does without gRPC", "5001"),
        Option(
            "--request-timeout",
            seconds,
            "SECONDS",
            "for a request to arrive, for its answer, and for the last answers on SIGTERM",
            "30",
        ),
        Option(
            "--shutdown-delay",
            seconds,
            "SECONDS",
            "for which new connections are taken after SIGTERM, since load balancers hear of it late",
            "2",
        ),
        Option("--max-body", size, "SIZE", "largest request body, also when decompressed", "64Mi"),
        Option("--max-connections", count, "N", "open connections; more are refused", "4096"),
    ),
    "who may ask": (
        Option(
            "--api-keys", Path, "FILE", "keys, one of which every request has to bring; read again when it changes"
        ),
        Option("--jwt-issuer", str, "URL", "take tokens of this issuer, like Microsoft Entra ID"),
        Option("--jwt-audience", str, "TEXT", "that the tokens must be meant for"),
        Option(
            "--jwt-keys", str, "FILE|URL", "JSON Web Key Set that signs them; without it, what the issuer names"
        ),
    ),
    "operation": (
        Option(
            "--live-settings",
            Path,
            "FILE",
            "YAML that is read again whenever it changes: mirroring, request log, batch and queue limits",
        ),
        Option(
            "--smoke",
            Path,
            "DIR",
            "golden samples, requests and responses in YAML or JSON: the server is ready when it has answered all "
            "of them so, and ends when it does not",
        ),
        Option(
            "--termination-log",
            Path,
            "FILE",
            "where to write why the server ended; ignored where that cannot be written",
            str(termination.DEFAULT),
        ),
    ),
}
CONFIG = Option("--config", Path, "FILE", "a YAML file with any of the options below")
OPTIONS = tuple(option for group in GROUPS.values() for option in group)
