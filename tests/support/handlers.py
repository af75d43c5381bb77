"""Handlers for tests: scripts in the form of Azure ML's, written to where a test wants them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

from inference_schema import schema_util  # type: ignore[import-untyped]

# For a run, with `time` imported: it does not let itself be interrupted.
SWALLOWING = """
while True:
    try:
        time.sleep(60)
    except TimeoutError:
        pass
"""


def script(folder: Path, run: str, *, init: str = "pass", before: str = "", name: str = "score.py") -> Path:
    """A script in `folder`: the bodies of `init` and of `run(data)`, and what stands `before` them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    functions = f"def init():\n{_body(init)}\n\ndef run(data):\n{_body(run)}\n"
    path.write_text(f"{dedent(before)}\n{functions}")
    return path


def is_gone(pid: int) -> bool:
    """Whether a process is no more, or only waits for somebody to ask how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def forget_schemas() -> None:
    """A process runs one script, whose schemas inference-schema keeps by name; a test has several."""
    schema_util.__functions_schema__.clear()
    schema_util.__versions__.clear()


def _body(lines: str) -> str:
    return indent(dedent(lines).strip(), "    ")
