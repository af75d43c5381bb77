"""A server is waited for, and nothing of it is left."""

from pathlib import Path

import pytest

from bench.serving import machine
from bench.serving.process import Command, Ended, running
from tests.support.until import wait_until


def shell(script: str, **environment: str) -> Command:
    return Command(("sh", "-c", script), environment)


def exists(path: Path) -> None:
    path.stat()


def test_a_server_is_there_once_its_first_answer_is_right(tmp_path: Path) -> None:
    answers = tmp_path / "answers"
    command = shell('sleep 0.2; touch "$ANSWERS"; exec sleep 60', ANSWERS=str(answers))
    with running(command, machine.Cores(), tmp_path / "log", lambda: exists(answers)) as up:
        assert up.start_s > 0.2
        assert answers.exists()


def test_a_server_that_ends_early_is_a_failure_that_names_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def check() -> None:
        raise ConnectionRefusedError

    with (
        pytest.raises(Ended, match=f"ended with 3; see {log}"),
        running(shell("echo why; exit 3"), machine.Cores(), log, check),
    ):
        pytest.fail("it never ran")
    assert log.read_text() == "why\n"


def test_all_processes_of_a_server_end_with_it(tmp_path: Path) -> None:
    with running(shell("sleep 60 & sleep 60 & wait"), machine.Cores(), tmp_path / "log", lambda: None) as up:
        wait_until(lambda: len(machine.tree(up.pid)) == 3)
        family = machine.tree(up.pid)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))


def test_a_server_that_does_not_listen_is_ended_by_force(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    command = shell('trap "" TERM; touch "$READY"; while :; do sleep 0.1; done', READY=str(ready))
    with running(command, machine.Cores(), tmp_path / "log", lambda: exists(ready), patience_s=0) as up:
        pass
    assert not Path(f"/proc/{up.pid}").exists()
