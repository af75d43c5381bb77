"""Run programs, wait for conditions, tell the user what is happening."""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

POLL_SECONDS = 0.05


class Failure(Exception):
    """Something the user has to know; its text is printed as it is."""


def say(message: str) -> None:
    """Prints one line of progress, apart from the output that scripts read."""
    print(message, file=sys.stderr, flush=True)


def run(*command: str | Path, text: str | None = None, env: Mapping[str, str] | None = None) -> str:
    """Runs a program and returns what it printed; a Failure carries its error output."""
    words = [str(word) for word in command]
    if not shutil.which(words[0]):
        raise Failure(f"{words[0]} is not installed, or not on the PATH")
    done = subprocess.run(
        words,
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(env or {})},
    )
    if done.returncode:
        output = (done.stdout + done.stderr).strip()[-5000:]
        raise Failure(f"{' '.join(words)}\nexited {done.returncode}: {output}")
    return done.stdout


def wait(what: str, condition: Callable[[], object], seconds: float = 60) -> None:
    """Returns as soon as the condition holds; a Failure names what did not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {seconds:.0f} s")
        time.sleep(POLL_SECONDS)


def write(path: Path, content: str) -> Path:
    """Writes a file, with its folders, and returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lets one process at a time work on a folder; the lock ends with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
