"""How a handler's process is started: which script, with which variables, and what it may use."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelserver.errors import HandlerInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENTRY_SCRIPTS = ("score.py", "main.py")
# Libraries for numbers start a thread for each CPU of the node, and set memory aside for it, if they are not told.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything that a process of the handler is started with. `search` is where it also finds modules."""

    script: Path
    search: tuple[Path, ...]
    directory: Path
    environment: Mapping[str, str]
    memory_bytes: int | None


def launch(
    path: Path, models: Sequence[Path], threads: int, memory_bytes: int | None, environment: Mapping[str, str]
) -> Launch:
    """The launch of the handler at `path`, a file or a folder, beside the files or folders of the `models`.

    Raises HandlerInvalid when there is no script.
    """
    script = entry_script(path, environment)
    root = Path(environment.get("AML_APP_ROOT") or (path if path.is_dir() else script.parent)).absolute()
    variables = dict.fromkeys(THREADS, str(threads))
    if models:
        variables["AZUREML_MODEL_DIR"] = str(models_folder(models))
    told = {"AML_APP_ROOT": str(root), "AZUREML_ENTRY_SCRIPT": str(script)}
    search = tuple(dict.fromkeys((script.parent, root)))
    return Launch(
        script,
        search,
        root if root.is_dir() else script.parent,
        variables | dict(environment) | told,
        memory_bytes,
    )


def entry_script(path: Path, environment: Mapping[str, str]) -> Path:
    """The script that `path` is, or that the folder `path` has. Raises HandlerInvalid."""
    named = environment.get("AZUREML_ENTRY_SCRIPT")
    if not path.is_dir():
        below_root = Path(environment.get("AML_APP_ROOT", "")) / path
        found = path if path.is_file() else below_root
        if not found.is_file():
            raise HandlerInvalid(f"there is no handler at {path}")
        return found.absolute()
    for name in (named,) if named else ENTRY_SCRIPTS:
        if (path / name).is_file():
            return (path / name).absolute()
    wanted = named or " or ".join(ENTRY_SCRIPTS)
    raise HandlerInvalid(f"the folder {path} holds no {wanted}; name the file, or set AZUREML_ENTRY_SCRIPT")


def models_folder(models: Sequence[Path]) -> Path:
    """The folder of the only model, or the closest one that holds all."""
    folders = [(model if model.is_dir() else model.parent).absolute() for model in models]
    return Path(os.path.commonpath(folders))


def command(*descriptors: int) -> tuple[str, ...]:
    """What starts the process that serves on these two sockets. Its folder must not hide the standard library."""
    return (sys.executable, "-P", "-m", "modelserver.handlers.worker", *map(str, descriptors))
