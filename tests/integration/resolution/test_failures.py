"""Azure says no, or nothing: each failure has a reason, harms nothing that runs, and passes without help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.resolution.conftest import (
    SECRET,
    SUBSCRIPTION,
    TOKEN,
    of_workspace,
    principal,
    registered,
    resolved,
)
from tests.support import kubelet
from tests.support.azure.asked import Answer, Fault, error
from tests.support.azure.tokens import LOGIN
from tests.support.azure.workspaces import Workspace
from tests.support.modeldeployments import apply, condition, exists, read, ready_reason

if TYPE_CHECKING:
    from tests.support.azure.cloud import Cloud
    from tests.support.kubectl import Kubectl

pytestmark = pytest.mark.usefixtures("operator", "workspace")


@dataclass(frozen=True)
class Failure:
    """What Azure answers, and how that is told."""

    answer: Answer
    reason: str
    says: str
    stalled: bool = False
    at: str = "/models/"


def entra(code: str) -> Answer:
    said = {"error": "invalid_client", "error_description": f"AADSTS{code}: no", "error_codes": [int(code)]}
    return Answer(401, said)


FAILURES = {
    "no token": Failure(entra("7000215"), "CredentialsInvalid", "AADSTS7000215", at=LOGIN),
    "clocks differ": Failure(entra("700024"), "ClockSkew", "clocks", at=LOGIN),
    "401": Failure(error(401, "InvalidAuthenticationToken", "no"), "AzureUnauthorized", "token"),
    "403": Failure(error(403, "AuthorizationFailed", "no"), "AzureAccessDenied", "role Reader", stalled=True),
    "404": Failure(error(404, "UserError", "no"), "ModelNotFound", "check its name", stalled=True),
    "no workspace": Failure(
        error(404, "ResourceGroupNotFound", "no"), "WorkspaceNotFound", "workspace.resourceGroup", stalled=True
    ),
    "429": Failure(error(429, "TooManyRequests", "no", Retry_After="1"), "AzureThrottled", "fewer requests"),
    "500": Failure(error(500, "InternalServerError", "no"), "AzureUnavailable", "asks again"),
    "503": Failure(error(503, "ServiceUnavailable", "no"), "AzureUnavailable", "asks again"),
    "no datastore": Failure(
        error(404, "UserError", "no"),
        "DatastoreNotFound",
        "register the model again",
        stalled=True,
        at="/datastores/",
    ),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_at_the_start_it_is_the_reason_and_passes_by_itself(
    kubectl: Kubectl, azure: Cloud, workspace: Workspace, failure: Failure
) -> None:
    """Each has a model of its own, since what one test has asked is not asked again by the next at once."""
    name = f"m{failure.reason.lower()}-{len(failure.answer.payload)}-{failure.answer.status}"
    workspace.models.append(registered(workspace, name, "1", folder="claims/1"))
    azure.control.faults = [Fault(failure.at, failure.answer)]
    owner = of_workspace(version="1")
    owner["spec"]["model"]["name"] = name
    # Tokens are kept for an hour by who has got one: somebody new has to ask for one.
    somebody = principal()
    somebody["stringData"]["clientId"] = f"44444444-4444-4444-4444-{abs(hash(name)) % 10**12:012}"
    apply(kubectl, somebody, owner)
    status = ready_reason(kubectl, failure.reason, within_s=60)
    assert failure.says in status["message"]
    assert condition(status, "Stalled" if failure.stalled else "Reconciling")["status"] == "True"
    assert read(kubectl, "deployment", "claims") is None
    assert not any(planted in str(status) for planted in (SECRET, TOKEN))
    azure.control.faults = []
    resolved(kubectl, within_s=60)
    exists(kubectl, "deployment", "claims")


def test_what_serves_goes_on_and_says_that_azure_is_silent(kubectl: Kubectl, azure: Cloud) -> None:
    apply(kubectl, principal(), of_workspace(version="latest"))
    kubelet.make_ready(kubectl)
    before = ready_reason(kubectl, "Serving")
    azure.control.faults = [Fault("/models/", error(403, "AuthorizationFailed", "no"))]
    status = resolved(kubectl, "AzureAccessDenied")
    assert (status["phase"], status["revision"]) == ("Healthy", before["revision"])
    generation = exists(kubectl, "deployment", "claims")["metadata"]["generation"]
    azure.control.faults = []
    status = resolved(kubectl, within_s=60)
    assert status["models"] == before["models"]
    assert exists(kubectl, "deployment", "claims")["metadata"]["generation"] == generation


def test_a_change_that_azure_does_not_resolve_leaves_everything_as_it_is(kubectl: Kubectl, azure: Cloud) -> None:
    apply(kubectl, principal(), of_workspace(version="2"))
    kubelet.make_ready(kubectl)
    before = ready_reason(kubectl, "Serving")
    azure.control.faults = [Fault("/versions/99", error(404, "UserError", "no"))]
    apply(kubectl, of_workspace(version="99"))
    status = ready_reason(kubectl, "ModelNotFound")
    assert "The pods that are ready go on serving." in status["message"]
    assert status["models"] == before["models"]
    apply(kubectl, of_workspace(version="2"))
    ready_reason(kubectl, "Serving")


def test_a_token_file_that_is_missing_is_named(
    kubectl: Kubectl, azure: Cloud, workspace: Workspace, variables: dict[str, str], tmp_path: Path
) -> None:
    """In a workspace that nobody has asked for before, since tokens are kept."""
    other = Workspace(SUBSCRIPTION, "rg-ml", "ml-other", datastores=workspace.datastores)
    other.models = [registered(other, "claims", "1")]
    azure.control.workspaces.append(other)
    owner = of_workspace(secret="", version="1")
    owner["spec"]["workspace"]["name"] = "ml-other"
    token = Path(variables["AZURE_FEDERATED_TOKEN_FILE"])
    away = token.rename(tmp_path / "away")
    apply(kubectl, owner)
    assert str(token) in ready_reason(kubectl, "TokenFileMissing")["message"]
    away.rename(token)
    resolved(kubectl, within_s=60)
