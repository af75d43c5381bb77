"""`version: latest` follows what is registered, at the price of one poll for all who want to know."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.resolution.conftest import POLL_S, of_workspace, principal, registered, resolved
from tests.support import kubelet
from tests.support.eventually import eventually
from tests.support.modeldeployments import apply, ready_reason, status_of

if TYPE_CHECKING:
    from tests.support.azure.cloud import Cloud
    from tests.support.azure.workspaces import Workspace
    from tests.support.kubectl import Kubectl

pytestmark = pytest.mark.usefixtures("operator", "workspace")


def polls(azure: Cloud) -> int:
    """How often the newest version of a model was asked for."""
    return sum("$top=1" in asked.target or "%24top=1" in asked.target for asked in azure.control.asked)


def test_a_new_version_becomes_a_new_revision(kubectl: Kubectl, azure: Cloud, workspace: Workspace) -> None:
    apply(kubectl, principal(), of_workspace(version="latest"))
    kubelet.make_ready(kubectl)
    before = ready_reason(kubectl, "Serving")
    assert before["models"][0]["version"] == "3"
    azure.storage.put("models", "claims/4/model.onnx", b"version 4")
    workspace.models.append(registered(workspace, "claims", "4"))
    after = eventually(lambda: (s := status_of(kubectl))["models"][0]["version"] == "4" and s)
    assert after
    assert after["revision"] != before["revision"]
    assert kubelet.pods(kubectl, revision=before["revision"])


def test_a_new_version_that_cannot_be_served_is_told_while_the_one_before_goes_on(
    kubectl: Kubectl, azure: Cloud, workspace: Workspace
) -> None:
    """Of a model that no other test asks for: an operator knows for a while what it was told."""
    workspace.models.append(registered(workspace, "mixed", "3", folder="claims/3"))
    owner = of_workspace(version="latest")
    owner["spec"]["model"]["name"] = "mixed"
    apply(kubectl, principal(), owner)
    kubelet.make_ready(kubectl)
    before = ready_reason(kubectl, "Serving")
    azure.storage.put("models", "empty/notes.txt", b"no model")
    workspace.models.append(registered(workspace, "mixed", "4", folder="empty"))
    status = resolved(kubectl, "ModelFileMissing")
    assert (status["phase"], status["revision"]) == ("Healthy", before["revision"])
    assert status["models"][0]["version"] == "3"


def test_a_hundred_model_deployments_of_ten_models_poll_ten_times_in_an_interval(
    kubectl: Kubectl, azure: Cloud, workspace: Workspace
) -> None:
    names = [f"m{number}" for number in range(10)]
    workspace.models += [registered(workspace, name, "1", folder="claims/1") for name in names]
    owners = [of_workspace(f"{name}-{copy}", version="latest") for name in names for copy in range(10)]
    for owner in owners:
        owner["spec"]["model"]["name"] = owner["metadata"]["name"].partition("-")[0]
        owner["spec"]["replicas"] = 0
    apply(kubectl, principal(), *owners)
    for owner in owners:
        resolved(kubectl, name=owner["metadata"]["name"], within_s=90)
    azure.control.asked.clear()
    began, before = time.monotonic(), polls(azure)
    eventually(lambda: polls(azure) >= before + 30)
    intervals = (time.monotonic() - began) / POLL_S
    # An interval is up to a tenth shorter than asked for, and one poll may fall before the first of them.
    assert polls(azure) <= 10 * (intervals / 0.9 + 1)
    assert {asked.path.rpartition("/")[2] for asked in azure.control.asked} == {"versions"}
