"""A wall clock that is wrong: Python imports this when it starts, if this folder is on its PYTHONPATH.

The monotonic clock stays right.
"""

import datetime
import os
import time

AHEAD_S = float(os.environ.get("CLOCK_AHEAD_S", "0"))
_now = time.time


class _Datetime(datetime.datetime):
    """Whoever imports datetime gets this one."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "_Datetime":
        return cls.fromtimestamp(_now() + AHEAD_S, tz)


def _time() -> float:
    return _now() + AHEAD_S


time.time = _time
datetime.datetime = _Datetime  # type: ignore[misc]
