"""What a script has to have, and what is said of one that has it not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelserver.handlers.worker.script import Script, ScriptInvalid, told
from tests.support.handlers import forget_schemas, script

if TYPE_CHECKING:
    from pathlib import Path

DECORATED = """\
from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType
from inference_schema.schema_decorators import input_schema, output_schema
def init(): pass
@input_schema("count", StandardPythonParameterType(1))
@output_schema(StandardPythonParameterType("x"))
def run(count, factor=2): pass
"""


@pytest.fixture(autouse=True)
def _one_script_at_a_time() -> None:
    forget_schemas()


def written(folder: Path, code: str) -> Path:
    path = folder / "score.py"
    path.write_text(code)
    return path


def complaint(path: Path) -> str:
    with pytest.raises(ScriptInvalid) as caught:
        Script(path)
    return str(caught.value)


def test_it_says_what_run_takes(tmp_path: Path) -> None:
    found = Script(written(tmp_path, "def init(): pass\ndef run(text, request_headers, more=1): pass"))
    assert (list(found.parameters), found.takes_headers, found.typed, found.raw) == (
        ["text", "more"],
        True,
        False,
        False,
    )


def test_decorators_say_what_run_takes(tmp_path: Path) -> None:
    found = Script(written(tmp_path, DECORATED))
    assert (list(found.parameters), found.typed) == (["count", "factor"], True)
    interface = found.interface()
    assert interface["input"]["properties"]["count"] == {"type": "integer", "format": "int64"}
    assert interface["output"] == {"type": "string", "example": "x"}
    assert interface["versions"] == [2.0, 3.0, 3.1]


@pytest.mark.parametrize("name", ["init", "run"])
def test_a_function_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    other = {"init": "def run(x): pass", "run": "def init(): pass"}[name]
    assert f"has no function {name}()" in complaint(written(tmp_path, other))


@pytest.mark.parametrize("parameters", ["*args", "**kwargs", "x, /"])
def test_a_parameter_without_a_name_is_refused(tmp_path: Path, parameters: str) -> None:
    code = f"def init(): pass\ndef run({parameters}): pass"
    assert "positional-only parameters; name them all" in complaint(written(tmp_path, code))


@pytest.mark.parametrize("parameters", ["", "request_headers"])
def test_run_without_input_is_refused(tmp_path: Path, parameters: str) -> None:
    code = f"def init(): pass\ndef run({parameters}): pass"
    assert "takes no parameter for its input" in complaint(written(tmp_path, code))


def test_a_file_that_is_no_python_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "score.txt"
    path.write_text("")
    assert "its name has to end in .py" in complaint(path)


def test_what_init_raises_is_told_with_its_line_in_the_script(tmp_path: Path) -> None:
    path = script(tmp_path, "pass", init="open('/no/such\\nfile')")
    with pytest.raises(FileNotFoundError) as caught:
        Script(path).init()
    assert told(caught.value, path).endswith("No such file or directory: '/no/such\\nfile' (score.py, line 3)")


def test_a_syntax_error_names_its_own_line(tmp_path: Path) -> None:
    path = written(tmp_path, "def init(): pass\nrun = (")
    with pytest.raises(SyntaxError) as caught:
        Script(path)
    assert told(caught.value, path) == "SyntaxError: '(' was never closed (score.py, line 2)"
