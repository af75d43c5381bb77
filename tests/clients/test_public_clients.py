"""What public clients of the protocol find when they talk to the server: a test for each of their statements."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.clients.conftest import HERE

if TYPE_CHECKING:
    from collections.abc import Callable

    Findings = Callable[..., dict[str, str | None]]


def held(program: str) -> pytest.MarkDecorator:
    """One test for each public function of `program`, which is read only: its client is not installed here."""
    body = ast.parse((HERE / "programs" / f"{program}.py").read_text()).body
    names = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return pytest.mark.parametrize("statement", [name for name in names if not name.startswith("_")])


def check(statement: str, found: dict[str, str | None]) -> None:
    """Fails with what the program found, or with how it ended before it came to `statement`."""
    failure = found.get(statement, found[""])
    if failure:
        pytest.fail(failure, pytrace=False)


@held("triton_http")
def test_tritonclient_over_http(statement: str, findings: Findings) -> None:
    check(statement, findings("triton_http", "triton", "port"))


@held("triton_http")
def test_tritonclient_over_http_asynchronously(statement: str, findings: Findings) -> None:
    check(statement, findings("triton_http", "triton", "port", "aio"))


@held("triton_grpc")
def test_tritonclient_over_grpc(statement: str, findings: Findings) -> None:
    check(statement, findings("triton_grpc", "triton", "grpc_port"))


@held("triton_grpc")
def test_tritonclient_over_grpc_asynchronously(statement: str, findings: Findings) -> None:
    check(statement, findings("triton_grpc", "triton", "grpc_port", "aio"))


@held("kserve_rest")
def test_kserve_over_rest(statement: str, findings: Findings) -> None:
    check(statement, findings("kserve_rest", "kserve", "port"))


@held("kserve_grpc")
def test_kserve_over_grpc(statement: str, findings: Findings) -> None:
    check(statement, findings("kserve_grpc", "kserve", "grpc_port"))


@held("open_inference_rest")
def test_open_inference_over_rest(statement: str, findings: Findings) -> None:
    check(statement, findings("open_inference_rest", "open_inference", "port"))


@held("open_inference_grpc")
def test_open_inference_over_grpc(statement: str, findings: Findings) -> None:
    check(statement, findings("open_inference_grpc", "open_inference", "grpc_port"))
