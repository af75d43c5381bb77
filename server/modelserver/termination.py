"""The termination log: the line by which a container tells the kubelet, and so the operator, why it ended."""

from contextlib import suppress
from pathlib import Path

import orjson

DEFAULT = Path("/dev/termination-log")
# The kubelet cuts at 4096 bytes, and a line that was cut is no JSON any more.
MAX_MESSAGE = 1000


def write(path: Path, reason: str, message: str, **facts: object) -> None:
    """Writes `{"reason", "message", …facts}` to `path`; outside of Kubernetes it cannot, which is fine."""
    line = orjson.dumps({"reason": reason, "message": message[:MAX_MESSAGE], **facts})
    with suppress(OSError):
        path.write_bytes(line + b"\n")
