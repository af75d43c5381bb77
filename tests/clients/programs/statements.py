"""What every client program does: it holds its statements one after the other, and prints a line of JSON for each.

A statement is a public function of the program that takes a client and asserts what the client has to see; a
coroutine function if the client is asynchronous. A program runs where its client is installed and nothing else is.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import signal
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS_FOR_ONE = 30
E = TypeVar("E", bound=Exception)


class Refusal(Generic[E]):
    """What `refused` caught."""

    error: E


@contextmanager
def refused(kind: type[E]) -> Iterator[Refusal[E]]:
    """The block has to raise an error of this kind."""
    refusal = Refusal[E]()
    try:
        yield refusal
    except kind as error:
        refusal.error = error
    else:
        raise AssertionError(f"there was no {kind.__name__}")


def hold_all(program: str, connect: Callable[[], Any]) -> None:
    """Holds the statements of the module named `program`, each with a client of its own from `connect`."""
    signal.signal(signal.SIGALRM, _too_late)
    for name, statement in vars(sys.modules[program]).items():
        if inspect.isfunction(statement) and statement.__module__ == program and not name.startswith("_"):
            print(json.dumps({"statement": name, "failure": _failure(statement, connect)}), flush=True)  # noqa: T201


def _failure(statement: Callable[[Any], Any], connect: Callable[[], Any]) -> str | None:
    """What went wrong, with the values that were at hand; None when the statement holds."""
    signal.alarm(SECONDS_FOR_ONE)
    try:
        if inspect.iscoroutinefunction(statement):
            asyncio.run(_hold(statement, connect))
        else:
            with connect() as client:
                statement(client)
    except Exception:  # whatever a client raises is a result to be told
        return _told()
    finally:
        signal.alarm(0)
    return None


async def _hold(statement: Callable[[Any], Any], connect: Callable[[], Any]) -> None:
    async with connect() as client:
        await statement(client)


def _told() -> str:
    error, trace = sys.exc_info()[1], sys.exc_info()[2]
    frames = [frame for frame, _ in traceback.walk_tb(trace) if "/programs/" in frame.f_code.co_filename]
    values = (
        [f"    {name} = {_shown(value)}"[:500] for name, value in frames[-1].f_locals.items()] if frames else []
    )
    return "\n".join([*traceback.format_exception(error), *values])


def _shown(value: object) -> str:
    return f"{type(value).__name__}: {value}" if isinstance(value, Exception) else repr(value)


def _too_late(*_: object) -> None:
    raise TimeoutError(f"not within {SECONDS_FOR_ONE} s")
