"""The options of handlers, and Azure ML's variables that say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelserver.settings.settings import HandlerSource, Settings, parse

HANDLER = ["--handler", "/code/score.py"]
MIB = 2**20


def parsed(*arguments: str, **environment: str) -> Settings:
    return parse([*HANDLER, *arguments], environment)


def mistake(capsys: pytest.CaptureFixture[str], *arguments: str, **environment: str) -> str:
    with pytest.raises(SystemExit):
        parsed(*arguments, **environment)
    return capsys.readouterr().err


def test_azure_mls_variables_are_understood() -> None:
    names = {"AZUREML_ENTRY_SCRIPT": "/src/score.py", "WORKER_COUNT": "3", "SCORING_TIMEOUT_MS": "1500"}
    found = parse([], names)
    assert found.handler == HandlerSource("score", Path("/src/score.py"))
    assert (found.handler_workers, found.handler_timeout_s) == (3, 1.5)


def test_our_own_variables_and_the_command_line_win_over_them() -> None:
    assert parsed(WORKER_COUNT="3", MODELSERVER_HANDLER_WORKERS="4").handler_workers == 4
    assert parsed("--handler-timeout", "2", SCORING_TIMEOUT_MS="1500").handler_timeout_s == 2
    assert parsed(AZUREML_ENTRY_SCRIPT="/other.py").handler == HandlerSource("score", Path("/code/score.py"))


def test_a_mistake_in_them_is_named_by_their_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert "SCORING_TIMEOUT_MS: 'soon' is not a time: a number of milliseconds" in mistake(
        capsys, SCORING_TIMEOUT_MS="soon"
    )
    assert "WORKER_COUNT: '0' is not a whole number" in mistake(capsys, WORKER_COUNT="0")


def test_a_timeout_that_the_request_timeout_would_cut_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    found = mistake(capsys, SCORING_TIMEOUT_MS="60000")
    assert "--handler-timeout (60 s) has to be below --request-timeout (30 s)" in found
    assert parsed("--request-timeout", "61", SCORING_TIMEOUT_MS="60000").handler_timeout_s == 60


def test_the_processes_share_half_of_the_memory_unless_told_otherwise() -> None:
    assert parsed("--memory-limit", "1Gi").handler_memory_bytes == 512 * MIB
    assert parsed("--memory-limit", "1Gi", "--handler-workers", "2").handler_memory_bytes == 256 * MIB
    assert parsed("--memory-limit", "1Gi", "--handler-memory", "700Mi").handler_memory_bytes == 700 * MIB
    assert parsed("--memory-limit", "1Gi", "--handler-memory", "off").handler_memory_bytes is None
    assert parsed("--memory-limit", "off").handler_memory_bytes is None
