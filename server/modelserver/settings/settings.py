"""What the server was told when it started, as one value."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelserver.settings import configuration
from modelserver.settings.cpus import usable_cpus
from modelserver.settings.memory import memory_limit
from modelserver.settings.options import HandlerSource, ModelSource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["HandlerSource", "JwtSettings", "ModelSource", "Settings", "parse"]


@dataclass(frozen=True, slots=True)
class JwtSettings:
    """The tokens to accept: of whom, for whom, and where the keys are (a file or URL; None: the issuer says)."""

    issuer: str
    audience: str
    keys: str | None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be said about a server when it starts. None means without, or without bound."""

    models: tuple[ModelSource, ...]
    models_dir: Path | None
    model_control: bool  # whether models are loaded and unloaded over the network
    memory_limit_bytes: int | None
    threads: int
    handler: HandlerSource | None
    handler_workers: int
    handler_timeout_s: float
    handler_memory_bytes: int | None
    host: str
    port: int
    grpc_port: int | None
    request_timeout_s: float
    shutdown_delay_s: float
    max_body_bytes: int
    max_connections: int
    api_keys: Path | None
    jwt: JwtSettings | None
    live_settings: Path | None
    smoke: Path | None
    termination_log: Path


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in `arguments`, `environment` and the YAML file that they may name.

    Prints help or a mistake and raises SystemExit, as argparse does.
    """
    parser, values = configuration.values(arguments, environment)
    if mistake := _mistake(values):
        parser.error(mistake)
    return _settings(values)


def _mistake(values: dict[str, Any]) -> str | None:
    """What is wrong with options that are fine on their own."""
    sources: Sequence[ModelSource] = values["model"]
    if not sources and not values["models-dir"] and not values["handler"]:
        return "there is nothing to serve: give --model NAME=PATH, --models-dir DIR or --handler PATH"
    if len({(source.name, source.version) for source in sources}) < len(sources):
        return "two models have the same name and version; give them as NAME:VERSION=PATH"
    if values["handler"] and values["handler-timeout"] >= values["request-timeout"]:
        return (
            f"--handler-timeout ({values['handler-timeout']:g} s) has to be below --request-timeout "
            f"({values['request-timeout']:g} s), which ends every request"
        )
    if bool(values["jwt-issuer"]) != bool(values["jwt-audience"]):
        return "--jwt-issuer and --jwt-audience go together: a token is of somebody and for somebody"
    if values["jwt-keys"] and not values["jwt-issuer"]:
        return "--jwt-keys is of no use without --jwt-issuer"
    return None


def _settings(values: dict[str, Any]) -> Settings:
    issuer, limit = values["jwt-issuer"], values["memory-limit"]
    allowed = memory_limit() if limit is None else limit or None
    return Settings(
        models=tuple(values["model"]),
        models_dir=values["models-dir"],
        model_control=values["model-control"],
        memory_limit_bytes=allowed,
        threads=values["threads"] or usable_cpus(),
        handler=values["handler"],
        handler_workers=values["handler-workers"],
        handler_timeout_s=values["handler-timeout"],
        handler_memory_bytes=_handler_memory(values, allowed),
        host=values["host"],
        port=values["port"],
        grpc_port=values["grpc-port"],
        request_timeout_s=values["request-timeout"],
        shutdown_delay_s=values["shutdown-delay"],
        max_body_bytes=values["max-body"],
        max_connections=values["max-connections"],
        api_keys=values["api-keys"],
        jwt=JwtSettings(issuer, values["jwt-audience"], values["jwt-keys"]) if issuer else None,
        live_settings=values["live-settings"],
        smoke=values["smoke"],
        termination_log=values["termination-log"],
    )


def _handler_memory(values: dict[str, Any], allowed: int | None) -> int | None:
    """What is said; else half of what is `allowed` for all, so that the other half is left to the models."""
    given = values["handler-memory"]
    if given is not None:
        return given or None
    return allowed // 2 // values["handler-workers"] if allowed else None
