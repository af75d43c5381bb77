"""What a handler prints and logs: lines that the server takes up into its own log."""

from __future__ import annotations

import json
import logging
import sys
from io import TextIOWrapper

MARK = "\x1e"  # begins a line that is a record of `logging`, as JSON (RFC 7464); any other line was printed


class Formatter(logging.Formatter):
    """Writes a record in one line."""

    def format(self, record: logging.LogRecord) -> str:
        """`MARK`, and JSON with level, logger, message and, where there is one, exception."""
        line = {"level": record.levelno, "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return MARK + json.dumps(line)


def configure() -> None:
    """Has everything written at once, and `logging` write what `Formatter` makes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Formatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
