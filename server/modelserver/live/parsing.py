"""The file of live settings, read strictly: what is not understood is a mistake, never ignored."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import yaml

from modelserver.fetch import location
from modelserver.fetch.errors import FetchError
from modelserver.live.settings import Batching, BatchLimits, LiveSettings, MirrorSettings, RequestLogSettings

T = TypeVar("T")
# Makes a value of what the file holds at a place, or raises Invalid, naming the place.
Reader = Callable[[str, Any], T]


class Invalid(ValueError):
    """The settings cannot be used; its text is a sentence for the person who wrote them."""


def parse(text: str | bytes) -> LiveSettings:
    """The settings in the YAML document `text`; an empty one leaves everything at its default. Raises Invalid."""
    try:
        found = yaml.load(text, _Loader)  # noqa: S506  # it is a safe one
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Invalid(f"this is not valid YAML: {' '.join(str(error).split())}") from None
    return _settings("", {} if found is None else found)


class _Loader(yaml.CSafeLoader):
    """Refuses a key that is given twice, of which YAML would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise yaml.MarkedYAMLError(problem="a key is given twice in the mapping", problem_mark=node.start_mark)
        return mapping


def _text(where: str, found: Any) -> str:
    if not isinstance(found, str) or not found:
        raise Invalid(f"{where} must be a text, not {found!r}")
    return found


def _flag(where: str, found: Any) -> bool:
    if not isinstance(found, bool):
        raise Invalid(f"{where} must be true or false, not {found!r}")
    return found


def _count(where: str, found: Any) -> int:
    if type(found) is not int or found < 1:
        raise Invalid(f"{where} must be a whole number from 1 up, not {found!r}")
    return found


def _number(least: float, most: float) -> Reader[float]:
    def read(where: str, found: Any) -> float:
        if type(found) not in (int, float) or math.isnan(found) or not least <= found <= most:
            raise Invalid(f"{where} must be a number from {least:g} to {most:g}, not {found!r}")
        return float(found)

    return read


def _url(where: str, found: Any) -> str:
    parts = urlsplit(_text(where, found))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise Invalid(f"{where} must be like http://HOST or https://HOST:PORT, without a query or a password")
    return str(found).rstrip("/")


def _file_or_blobs(where: str, found: Any) -> str:
    text = _text(where, found)
    if "://" in text:
        try:
            is_azure = location.parse(text).is_azure
        except FetchError:
            is_azure = False
        if not is_azure:
            raise Invalid(
                f"{where} must be a file, or a folder in Azure Blob storage without a SAS token: "
                "https://ACCOUNT.blob.core.windows.net/CONTAINER/FOLDER/"
            )
    return text


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of a mapping, by the field that it becomes."""

    field: str
    read: Reader[Any]
    is_needed: bool = False


def _section(make: Callable[..., T], members: Mapping[str, _Member]) -> Reader[T]:
    """A reader of a mapping with these members, which calls `make` with those that are there."""

    def read(where: str, found: Any) -> T:
        given = _mapping(where, found)
        for name in given:
            if name not in members:
                raise Invalid(f"there is no {_path(where, name)}; there is {', '.join(members)}")
        for name, member in members.items():
            if member.is_needed and name not in given:
                raise Invalid(f"{_path(where, name)} is missing")
        return make(
            **{members[name].field: members[name].read(_path(where, name), value) for name, value in given.items()}
        )

    return read


def _each(read_one: Reader[T]) -> Reader[dict[str, T]]:
    """A reader of a mapping of any names to values of one kind."""

    def read(where: str, found: Any) -> dict[str, T]:
        return {name: read_one(_path(where, name), value) for name, value in _mapping(where, found).items()}

    return read


def _mapping(where: str, found: Any) -> dict[str, Any]:
    """The members that have a value: YAML gives null for what is left empty."""
    if not isinstance(found, dict):
        raise Invalid(f"{where or 'the file'} must be a mapping of names to values, not {found!r}")
    return {str(name): value for name, value in found.items() if value is not None}


def _path(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


_PERCENT = _Member("percent", _number(0, 100), is_needed=True)
_LIMITS = {
    "maxRows": _Member("max_rows", _count),
    "maxQueue": _Member("max_queue", _count),
    "enabled": _Member("enabled", _flag),
}
_mirror = _section(
    MirrorSettings,
    {
        "url": _Member("url", _url, is_needed=True),
        "percent": _PERCENT,
        "timeoutSeconds": _Member("timeout_s", _number(0.01, 600)),
    },
)
_request_log = _section(
    RequestLogSettings,
    {
        "to": _Member("to", _file_or_blobs, is_needed=True),
        "percent": _PERCENT,
        "maxBodyBytes": _Member("max_body_bytes", _count),
        "credentials": _Member("credentials", _text),
    },
)
_settings = _section(
    LiveSettings,
    {
        "mirror": _Member("mirror", _mirror),
        "requestLog": _Member("request_log", _request_log),
        "batching": _Member(
            "batching",
            _section(Batching, {**_LIMITS, "models": _Member("models", _each(_section(BatchLimits, _LIMITS)))}),
        ),
    },
)
