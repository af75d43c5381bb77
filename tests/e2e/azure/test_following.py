"""People use a model while Azure changes, or fails: they never notice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.e2e.azure.conftest import POLL_S, Site, place, principal, registered
from tests.e2e.conftest import users
from tests.support.azure.asked import HANGS_UP, SILENCE, Answer, Fault, error
from tests.support.eventually import eventually
from tests.support.modeldeployments import apply, condition, ready_reason, status_of

if TYPE_CHECKING:
    from tests.support.azure.workspaces import Workspace
    from tests.support.kubectl import Kubectl
    from tests.support.modeldeployments import Manifest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


FAILURES = {
    "AzureUnauthorized": error(401, "InvalidAuthenticationToken", "no"),
    "AzureAccessDenied": error(403, "AuthorizationFailed", "no"),
    "ModelNotFound": error(404, "UserError", "no"),
    "AzureThrottled": error(429, "TooManyRequests", "no", Retry_After="2"),
    "AzureUnavailable": error(503, "ServiceUnavailable", "no"),
    "AzureTimeout": SILENCE,
    "AzureUnreachable": HANGS_UP,
}


def following(site: Site) -> Manifest:
    """The newest version of the model claims."""
    spec = site.spec(workspace=place(secretName="aml"), model={"name": "claims", "version": "latest"}, replicas=2)
    return {
        "apiVersion": "modelfleet.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "claims"},
        "spec": spec,
    }


def serves(kubectl: Kubectl, version: str) -> bool:
    """Whether that version serves, and nothing else is left."""
    status = status_of(kubectl)
    return status.get("phase") == "Healthy" and status["models"][0]["version"] == version


async def test_a_version_that_is_registered_is_served_without_a_failed_request(
    kubectl: Kubectl, site: Site, workspace: Workspace
) -> None:
    workspace.models.pop()
    await asyncio.to_thread(apply, kubectl, principal(), following(site))
    await asyncio.to_thread(ready_reason, kubectl, "Serving", within_s=120)
    async with users(kubectl) as crowd:
        workspace.models.append(registered("claims", "2"))
        await asyncio.to_thread(eventually, lambda: serves(kubectl, "2"), within_s=POLL_S + 120)
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
    assert crowd.versions() == {"1", "2"}


async def test_whatever_azure_answers_what_serves_goes_on(
    kubectl: Kubectl, site: Site, workspace: Workspace
) -> None:
    await asyncio.to_thread(apply, kubectl, principal(), following(site))
    before = await asyncio.to_thread(ready_reason, kubectl, "Serving", within_s=120)
    async with users(kubectl) as crowd:
        for reason, answer in FAILURES.items():
            await asyncio.to_thread(fail_and_mend, kubectl, site, reason, answer)
    assert crowd.failures == 0, list(map(str, crowd.outcomes))
    assert status_of(kubectl)["models"] == before["models"]


def fail_and_mend(kubectl: Kubectl, site: Site, reason: str, answer: Answer) -> None:
    """Let Azure fail until the status says so, and then answer again until it says so."""
    site.cloud.control.faults = [Fault("/models/", answer)]
    eventually(lambda: condition(status_of(kubectl), "ModelsResolved")["reason"] == reason, within_s=120)
    site.cloud.control.faults = []
    eventually(lambda: condition(status_of(kubectl), "ModelsResolved")["status"] == "True", within_s=90)
