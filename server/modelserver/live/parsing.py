"""The text of the file of live settings, read strictly: what is not understood is a mistake, never ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import yaml

from modelserver.fetch import location
from modelserver.fetch.errors import FetchError
from modelserver.live.settings import BatchLimits, Batching, LiveSettings, MirrorSettings, RequestLogSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")
Reader = "Callable[[str, Any], T]"

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
MAX_LOGGED_BYTES = 1024 * 1024
BLOBS = "https://ACCOUNT.blob.core.windows.net/CONTAINER/PREFIX/"


class Invalid(ValueError):
    """The settings cannot be used; its text is a sentence for the person who wrote them."""


def parse(text: str | bytes) -> LiveSettings:
    """The settings in the YAML document `text`; an empty one leaves everything at its default. Raises Invalid."""
    try:
        found = yaml.load(text, _Loader)  # noqa: S506  # it is a safe loader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Invalid(f"this is not valid YAML: {' '.join(str(error).split())}") from None
    return _settings("", {} if found is None else found)


class _Loader(yaml.CSafeLoader):
    """Refuses a key that is given twice, of which YAML would take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.MarkedYAMLError(problem=f"{key!r} is given twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


class _Section:
    """A mapping at `where` in the file, whose members are taken one by one."""

    def __init__(self, where: str, found: object) -> None:
        if not isinstance(found, dict):
            raise Invalid(f"{where or 'the file'} must be a mapping, not {found!r}")
        self._where = where
        self._left: dict[Any, Any] = dict(found)
        self._known: list[str] = []

    def take(self, name: str, read: Callable[[str, Any], T], default: T) -> T:
        """The member `name`, as `read` makes it of what is there, or `default`. Raises Invalid."""
        self._known.append(name)
        value = self._left.pop(name, None)
        return default if value is None else read(self._path(name), value)

    def need(self, name: str, read: Callable[[str, Any], T]) -> T:
        """The member `name`, which must be there. Raises Invalid."""
        if self._left.get(name) is None:
            raise Invalid(f"{self._path(name)} is missing")
        self._known.append(name)
        return read(self._path(name), self._left.pop(name))

    def end(self) -> None:
        """Raises Invalid when something was not taken."""
        for name in self._left:
            raise Invalid(f"there is no {self._path(name)}; there is {', '.join(sorted(self._known))}")

    def _path(self, name: object) -> str:
        return f"{self._where}.{name}" if self._where else str(name)


def _settings(where: str, found: object) -> LiveSettings:
    section = _Section(where, found)
    settings = LiveSettings(
        mirror=section.take("mirror", _mirror, None),
        request_log=section.take("requestLog", _request_log, None),
        batching=section.take("batching", _batching, Batching()),
        log_level=section.take("logLevel", _level, "INFO"),
    )
    section.end()
    return settings


def _mirror(where: str, found: object) -> MirrorSettings:
    section = _Section(where, found)
    settings = MirrorSettings(
        url=section.need("url", _url),
        percent=section.need("percent", _number(0, 100)),
        timeout_s=section.take("timeoutSeconds", _number(0.001, 600), MirrorSettings.timeout_s),
    )
    section.end()
    return settings


def _request_log(where: str, found: object) -> RequestLogSettings:
    section = _Section(where, found)
    settings = RequestLogSettings(
        to=section.need("to", _file_or_blobs),
        percent=section.need("percent", _number(0, 100)),
        max_body_bytes=section.take("maxBodyBytes", _whole(1, MAX_LOGGED_BYTES), RequestLogSettings.max_body_bytes),
        credentials=section.take("credentials", _text, None),
    )
    section.end()
    return settings


def _batching(where: str, found: object) -> Batching:
    section = _Section(where, found)
    models = section.take("models", _models, {})
    settings = Batching(_taken_limits(section), models)
    section.end()
    return settings


def _models(where: str, found: object) -> dict[str, BatchLimits]:
    section = _Section(where, found)
    return {str(name): section.need(name, _limits) for name in dict(found)}  # type: ignore[call-overload]


def _limits(where: str, found: object) -> BatchLimits:
    section = _Section(where, found)
    limits = _taken_limits(section)
    section.end()
    return limits


def _taken_limits(section: _Section) -> BatchLimits:
    return BatchLimits(
        max_rows=section.take("maxRows", _whole(1), None),
        max_queue=section.take("maxQueue", _whole(1), None),
        enabled=section.take("enabled", _flag, None),
    )
