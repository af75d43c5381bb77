"""Waiting for what a cluster will show, with a deadline; tests never sleep."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], *, within_s: float = 30, pause_s: float = 0.1) -> T:
    """What `look` returns once it is truthy; fails with its last answer, or its last failed assertion."""
    deadline = time.monotonic() + within_s
    while True:
        last: object
        try:
            if found := look():
                return found
            last = found
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s; last: {last!r}")
        time.sleep(pause_s)
