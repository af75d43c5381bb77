"""Handlers for tests: scripts in the form of Azure ML's, written to where a test wants them."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING

from inference_schema import schema_util  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from pathlib import Path


def script(folder: Path, run: str, *, init: str = "pass", before: str = "", name: str = "score.py") -> Path:
    """A script in `folder`: the bodies of `init` and of `run(data)`, and what stands `before` them."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    functions = f"def init():\n{_body(init)}\n\ndef run(data):\n{_body(run)}\n"
    path.write_text(f"{dedent(before)}\n{functions}")
    return path


def forget_schemas() -> None:
    """A process runs one script, whose schemas inference-schema keeps by name; a test has several."""
    schema_util.__functions_schema__.clear()
    schema_util.__versions__.clear()


def _body(lines: str) -> str:
    return indent(dedent(lines).strip(), "    ")
