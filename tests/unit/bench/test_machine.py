"""What /proc says about processes and about the machine."""

import os
import subprocess
import sys

import pytest

from bench.serving import machine
from bench.serving.machine import Cores, Moment
from tests.support.until import wait_until


def test_a_tree_holds_children_and_their_children() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & wait"]) as shell:
        wait_until(lambda: len(machine.tree(shell.pid)) == 2)
        family = machine.tree(shell.pid)
        assert set(family) < set(machine.tree(os.getpid()))
        subprocess.run(["kill", *map(str, family)], check=True)


def test_the_usage_of_a_process_is_its_time_and_its_memory() -> None:
    work = "sum(range(10**7)); kept = bytearray(b'x') * 2**26; print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        used = machine.usage(process.pid)
        process.communicate(b"\n")
    assert used.cpu_s > 0.05
    assert 64 < used.pss_mb <= used.rss_mb < 200


def test_a_process_that_has_ended_uses_nothing() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert machine.usage(process.pid) == machine.Usage(0, 0, 0)


def test_what_neither_server_nor_clients_did_was_done_by_others() -> None:
    spent = Moment(12.0, 107.5, 5.0, 3.0).since(Moment(10.0, 104.0, 3.0, 2.5))
    assert spent.other_cores == 0.5


@pytest.mark.parametrize(("cores", "command"), [((), ()), ((0, 1), ("taskset", "--cpu-list", "0,1"))])
def test_cores_become_a_command_where_there_are_any(cores: tuple[int, ...], command: tuple[str, ...]) -> None:
    assert Cores(cores).command == command


def test_the_facts_name_the_processor_and_the_kernel() -> None:
    facts = machine.facts()
    assert facts["cores"] == str(os.cpu_count())
    assert facts["processor"]
    assert facts["kernel"].startswith("Linux")
