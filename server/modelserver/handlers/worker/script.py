"""The user's script: loading it, what its `run` takes, and calling it."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

MODULE = "entry_module"  # the name that Azure ML's server gives it, which objects pickled there remember
HEADERS = "request_headers"
KINDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class ScriptInvalid(Exception):
    """The script does not have what is needed; the text says what to write."""


class Script:
    """A loaded script.

    `raw` means that `run` takes the whole request, `typed` that decorators say what it takes, `takes_headers` that
    it also wants the request's headers. `parameters` are those that it gets from the body.
    """

    def __init__(self, path: Path) -> None:
        module = _loaded(path)
        self._init = _function(module, "init", path)
        self.run = _function(module, "run", path)
        self.raw = getattr(self.run, "rawhttp", False) is True
        self.parameters = dict(inspect.signature(self.run).parameters)
        self._check(path)
        self.takes_headers = self.parameters.pop(HEADERS, None) is not None
        self.typed = self._schemas is not None and self._schemas.is_schema_decorated(self.run)

    def init(self) -> None:
        """Calls the script's own `init`, and lets pass what it raises."""
        self._init()

    def interface(self) -> dict[str, Any]:
        """The schemas of input and output, and the versions of OpenAPI that know them, as decorators have it."""
        if not self.typed:
            return {"input": {"type": "object", "example": {}}, "output": {"type": "object", "example": {}}}
        schemas = self._schemas
        return {
            "input": schemas.get_input_schema(self.run),
            "output": schemas.get_output_schema(self.run),
            "versions": [float(version) for version in schemas.get_supported_versions(self.run)],
        }

    @property
    def _schemas(self) -> Any:
        """What keeps the schemas that decorators declare; None where the script has not imported any decorator."""
        return sys.modules.get("inference_schema.schema_util")

    def _check(self, path: Path) -> None:
        if any(parameter.kind not in KINDS for parameter in self.parameters.values()):
            raise ScriptInvalid(
                f"run() in {path} takes *args, **kwargs or positional-only parameters; name them all"
            )
        if not self.parameters.keys() - {HEADERS}:
            raise ScriptInvalid(f"run() in {path} takes no parameter for its input; write def run(data)")


def _loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(MODULE, path)
    if not spec or not spec.loader:
        raise ScriptInvalid(f"{path} is no Python file; its name has to end in .py")
    module = sys.modules[MODULE] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _function(module: ModuleType, name: str, path: Path) -> Any:
    function = getattr(module, name, None)
    if not callable(function):
        raise ScriptInvalid(f"{path} has no function {name}(); a handler needs both init() and run()")
    return function


def told(error: BaseException, path: Path) -> str:
    """What went wrong, and where in the script, in one line."""
    what = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, SyntaxError):
        return what  # it names file and line itself
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{what} ({path.name}, line {lines[-1].lineno})" if lines else what
