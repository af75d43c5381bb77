"""Moments and durations as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def span(duration: timedelta) -> str:
    """Return a duration by its two largest units, such as 2m10s or 4d3h."""
    rest = max(0, int(duration.total_seconds()))
    first = next((place for place, (_, size) in enumerate(_UNITS) if rest >= size), len(_UNITS) - 1)
    text = ""
    for unit, size in _UNITS[first : first + 2]:
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count or not text else ""
    return text


def told(text: str, now: datetime) -> str:
    """Return a moment of a status with its distance from now; what is no moment stays as it is."""
    moment = read(text)
    if moment is None:
        return text
    distance = f"in {span(moment - now)}" if moment > now else f"{span(now - moment)} ago"
    return f"{text} ({distance})"


def took(start: str, end: str) -> str:
    """Return how long it was between two moments of a status; nothing where one is missing."""
    begun, ended = read(start), read(end)
    return span(ended - begun) if begun and ended else ""


def read(text: str) -> datetime | None:
    """Return a moment of a status, or None where it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
