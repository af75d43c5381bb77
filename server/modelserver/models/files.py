"""The files that a model consists of, and what loading them will take."""

from __future__ import annotations

import mmap
import re
import stat
from pathlib import Path

from modelserver.errors import ModelInvalid

SUFFIXES = (".onnx", ".ort")
# How the place of weights outside of the model's file is written in it: this, the length of the name, the name.
EXTERNAL = re.compile(rb"\x0a\x08location\x12")
Version = tuple[tuple[str, int, int], ...]


def model_file(path: Path) -> Path:
    """`path` itself, or the only .onnx or .ort file in the folder (its top level before its subfolders).

    Raises ModelInvalid when there is none, or more than one to choose from.
    """
    try:
        if not stat.S_ISDIR(path.stat().st_mode):
            return path
        found = top_level(path) or sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES)
    except OSError as error:
        raise ModelInvalid(f"there is no model at {path}: {error.strerror}") from None
    if not found:
        raise ModelInvalid(f"the folder {path} holds no .onnx or .ort file")
    if len(found) > 1:
        names = ", ".join(str(file.relative_to(path)) for file in found)
        raise ModelInvalid(f"the folder {path} holds several models ({names}); name one of them")
    return found[0]


def top_level(folder: Path) -> list[Path]:
    """The model files that lie in `folder` itself."""
    return sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES)


def state_of(path: Path) -> Version:
    """Names, sizes and times of the model's file and of the files with its weights: another after any change.

    Raises ModelInvalid.
    """
    file = model_file(path)
    return tuple((str(part), *_size_and_time(part)) for part in (file, *_external(file)))


def size_of(path: Path) -> int:
    """The bytes of all files of the model. Raises ModelInvalid."""
    return sum(size for _, size, _ in state_of(path))


def _size_and_time(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError as error:
        raise ModelInvalid(f"there is no model at {file}: {error.strerror}") from None
    return found.st_size, found.st_mtime_ns


def _external(file: Path) -> list[Path]:
    """The files beside `file` that hold weights of it."""
    try:
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            ends = [found.end() for found in EXTERNAL.finditer(content)]
            names = {content[end + 1 : end + 1 + content[end]].decode("utf-8", "replace") for end in ends}
    except (OSError, ValueError):  # not there or empty: whoever loads it will say so
        return []
    return [path for name in sorted(names) if "\0" not in name and (path := file.parent / name).is_file()]
