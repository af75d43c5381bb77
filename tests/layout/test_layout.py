"""The house rules that no linter knows."""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ("operator", "server")
CRD_LIMIT_BYTES = 262_144
FILE_LIMIT_LINES = 400
MEDIAN_FUNCTION_LINES = 8


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines from def to the end, without the docstring."""
    docstring = function.body[0] if ast.get_docstring(function) else None
    documented = docstring.end_lineno - docstring.lineno + 1 if docstring and docstring.end_lineno else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - documented


@pytest.mark.parametrize("folder", CODE)
def test_the_folders_of_the_packages_are_no_packages_themselves(folder: str) -> None:
    """With operator/__init__.py the standard library's operator module is gone, and `python -m pytest` with it."""
    assert not (ROOT / folder / "__init__.py").exists()


@pytest.mark.parametrize("folder", CODE)
def test_nothing_on_the_import_path_hides_the_standard_library(folder: str) -> None:
    names = {path.stem for path in (ROOT / folder).iterdir()}
    assert names.isdisjoint(sys.stdlib_module_names)


def test_templates_are_not_hidden_by_a_module() -> None:
    assert not (ROOT / "operator/modelfleet/render/templates.py").exists()


@pytest.mark.parametrize("path", sources(*CODE), ids=lambda path: str(path.relative_to(ROOT)))
def test_each_module_says_first_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_no_file_is_long() -> None:
    everything = sources(*CODE, "crds", "local", "samples", "bench", "tests")
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in everything}
    assert {path: lines for path, lines in lengths.items() if lines > FILE_LIMIT_LINES} == {}


@pytest.mark.parametrize("folder", CODE)
def test_functions_are_short(folder: str) -> None:
    lengths = [length(function) for path in sources(folder) for function in functions(path)]
    assert statistics.median(lengths) <= MEDIAN_FUNCTION_LINES


def test_the_crd_can_be_applied_from_the_client_side() -> None:
    """kubectl apply keeps the whole object in an annotation, which may not be larger."""
    assert (ROOT / "crds/modeldeployments.yaml").stat().st_size < CRD_LIMIT_BYTES
