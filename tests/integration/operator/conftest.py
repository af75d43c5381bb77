"""One operator for each file of tests, running with the rights of the shipped manifests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.operator import OperatorProcess, StartOperator


@pytest.fixture(scope="module")
def operator(operator_kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """A running operator that leads."""
    process = OperatorProcess.start(operator_kubeconfig, tmp_path_factory.mktemp("operator"))
    yield process.wait_until_leading()
    assert process.stop() == 0
    assert "Traceback" not in process.log.read_text()


@pytest.fixture
def start_operator(operator_kubeconfig: Path, tmp_path: Path) -> Iterator[StartOperator]:
    """Starts operator processes that do not outlive the test."""
    started: list[OperatorProcess] = []

    def start(pod_name: str = "operator-0", server_image: str = "server:1") -> OperatorProcess:
        started.append(
            OperatorProcess.start(operator_kubeconfig, tmp_path, pod_name=pod_name, server_image=server_image)
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
