"""An operator that starts while Azure is away: nothing that was resolved before depends on the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.resolution.conftest import (
    generation,
    of_registry,
    of_workspace,
    principal,
    register,
    resolved,
    signed,
)
from tests.support.azure.asked import Fault, error
from tests.support.modeldeployments import apply
from tests.support.operator import OperatorProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.azure.cloud import Cloud
    from tests.support.kubectl import Kubectl
    from tests.support.modeldeployments import Manifest


@pytest.fixture
def start(
    operator_kubeconfig: Path, variables: dict[str, str], tmp_path: Path
) -> Iterator[Callable[[str], OperatorProcess]]:
    """Starts operators that do not outlive the test, by the names of their pods."""
    started: list[OperatorProcess] = []

    def run(name: str) -> OperatorProcess:
        process = OperatorProcess.start(operator_kubeconfig, tmp_path, pod_name=name, variables=variables)
        started.append(process)
        return process.wait_until_leading()

    yield run
    for process in started:
        process.kill()


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("owner", [of_registry("5"), of_workspace(version="latest")], ids=["registry", "latest"])
def test_what_was_resolved_stays_as_it_is(
    kubectl: Kubectl, azure: Cloud, start: Callable[[str], OperatorProcess], owner: Manifest
) -> None:
    register(azure, "5")
    first = start("operator-0")
    apply(kubectl, principal(), owner)
    before = resolved(kubectl)["models"]
    at_first, given = generation(kubectl), signed(kubectl)
    first.stop()
    azure.control.faults = [Fault(".", error(503, "ServiceUnavailable", "no"))]
    start("operator-1")
    assert resolved(kubectl, "AzureUnavailable", within_s=60)["models"] == before
    azure.control.faults = []
    assert resolved(kubectl, within_s=60)["models"] == before
    assert generation(kubectl) == at_first
    assert signed(kubectl).keys() == given.keys()
