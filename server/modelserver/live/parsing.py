"""The file of live settings, read strictly: what is not understood is a mistake, never ignored."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from modelserver.fetch import location
from modelserver.fetch.errors import FetchError
from modelserver.live.settings import Batching, BatchLimits, LiveSettings, MirrorSettings, RequestLogSettings
from modelserver.settings.strict import Invalid, Member, document, each, number, section
from modelserver.settings.strict import text as read_text

__all__ = ["Invalid", "parse"]


def parse(text: str | bytes) -> LiveSettings:
    """The settings in the YAML document `text`; an empty one leaves everything at its default. Raises Invalid."""
    found = document(text)
    return _settings("", {} if found is None else found)


def _flag(where: str, found: Any) -> bool:
    if not isinstance(found, bool):
        raise Invalid(f"{where} must be true or false, not {found!r}")
    return found


def _count(where: str, found: Any) -> int:
    if type(found) is not int or found < 1:
        raise Invalid(f"{where} must be a whole number from 1 up, not {found!r}")
    return found


def _url(where: str, found: Any) -> str:
    parts = urlsplit(read_text(where, found))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise Invalid(f"{where} must be like http://HOST or https://HOST:PORT, without a query or a password")
    return str(found).rstrip("/")


def _file_or_blobs(where: str, found: Any) -> str:
    text = read_text(where, found)
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


_PERCENT = Member("percent", number(0, 100), is_needed=True)
_LIMITS = {
    "maxRows": Member("max_rows", _count),
    "maxQueue": Member("max_queue", _count),
    "enabled": Member("enabled", _flag),
}
_mirror = section(
    MirrorSettings,
    {
        "url": Member("url", _url, is_needed=True),
        "percent": _PERCENT,
        "timeoutSeconds": Member("timeout_s", number(0.01, 600)),
        "tolerance": Member("tolerance", number(0, 1e6)),
    },
)
_request_log = section(
    RequestLogSettings,
    {
        "to": Member("to", _file_or_blobs, is_needed=True),
        "percent": _PERCENT,
        "maxBodyBytes": Member("max_body_bytes", _count),
        "credentials": Member("credentials", read_text),
    },
)
_settings = section(
    LiveSettings,
    {
        "mirror": Member("mirror", _mirror),
        "requestLog": Member("request_log", _request_log),
        "batching": Member(
            "batching",
            section(Batching, {**_LIMITS, "models": Member("models", each(section(BatchLimits, _LIMITS)))}),
        ),
    },
)
