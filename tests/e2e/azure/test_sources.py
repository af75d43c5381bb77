"""A model that is registered in Azure Machine Learning serves from real pods, however access is given."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest

from tests.e2e.azure.conftest import Site, place, principal, registry, workspace_of
from tests.e2e.conftest import CLAIMS, endpoint
from tests.support.azure.imds import IMDS
from tests.support.modeldeployments import apply, ready_reason

if TYPE_CHECKING:
    from tests.support.kubectl import Kubectl
    from tests.support.modeldeployments import Manifest

ASK_IMDS = """
import json, urllib.request
url = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://storage.azure.com/"
answer = urllib.request.urlopen(urllib.request.Request(url, headers={"Metadata": "true"}), timeout=10)
print(answer.status, json.load(answer)["token_type"])
"""

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]


def model_deployment(name: str, spec: Manifest) -> Manifest:
    metadata = {"name": name}
    return {"apiVersion": "modelfleet.dev/v1alpha1", "kind": "ModelDeployment", "metadata": metadata, "spec": spec}


def answers(kubectl: Kubectl, name: str, model: str = "claims") -> bool:
    """Whether the endpoint classifies a claim."""
    url = f"{endpoint(kubectl, name)}/score?model_name={model}"
    asked = Request(url, json.dumps({"data": CLAIMS[:1]}).encode(), {"Content-Type": "application/json"})
    with urlopen(asked, timeout=10) as answer:
        return len(json.load(answer)["results"]) == 1


@pytest.mark.usefixtures("workspace")
def test_every_way_to_a_model_leads_to_pods_that_serve_it(kubectl: Kubectl, site: Site) -> None:
    """Nothing but Azure is reached, and of Azure not the metadata service, which would give anybody a token."""
    registry(site)
    other = workspace_of(site, "ml-other")
    site.cloud.control.entra.federated.add(f"system:serviceaccount:{kubectl.namespace}:by-identity")
    site.cloud.tunnel.refused.clear()
    claims = {"name": "claims", "version": "1"}
    with_secret = place(secretName="aml")
    specs = {
        "by-principal": site.spec(workspace=with_secret, model=claims),
        "by-identity": site.spec(workspace=place(), model=claims),
        "by-registry": site.spec(
            workspace={"registry": "shared", "credentials": {"secretName": "aml"}}, model=claims
        ),
        "by-address": site.spec(
            model={"name": "claims", "uri": "https://demo.blob.core.windows.net/public/claims/1/"}
        ),
        "by-two-workspaces": site.spec(
            workspace=with_secret,
            models=[claims, {"name": "others", "version": "2", "workspace": place(other.name, secretName="aml")}],
        ),
    }
    other.models.append(type(other.models[0])("others", "2", other.models[1].uri))
    apply(kubectl, principal(), *(model_deployment(name, spec) for name, spec in specs.items()))
    for name in specs:
        ready_reason(kubectl, "Serving", name, within_s=120)
        assert answers(kubectl, name)
    assert answers(kubectl, "by-two-workspaces", "others")
    assert site.cloud.tunnel.refused == []
    assert asked_of_imds(site) == []
    told = kubectl("exec", "deployment/by-principal", "--", "python", "-c", ASK_IMDS)
    assert told.strip() == "200 Bearer"  # as it would have answered anybody
    assert asked_of_imds(site) == ["/metadata/identity/oauth2/token"]


def asked_of_imds(site: Site) -> list[str]:
    """Whatever the metadata service was asked since the tests began."""
    return [asked.path for asked in site.cloud.control.asked if asked.host == IMDS]
