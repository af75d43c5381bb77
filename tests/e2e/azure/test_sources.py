"""A model that is registered in Azure Machine Learning serves from real pods, however access is given."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest

from tests.e2e.azure.conftest import SECRET, Site, place, principal, registry, workspace_of
from tests.e2e.conftest import CLAIMS, endpoint
from tests.support.audit import AuditLog
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import apply, ready_reason
from tests.support.operator import SYSTEM

if TYPE_CHECKING:
    from tests.support.modeldeployments import Manifest

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
    """Nothing but Azure is reached, and no secret is seen anywhere."""
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
    seen = everything_public(kubectl)
    assert SECRET not in seen
    assert "sig=" not in seen


def everything_public(kubectl: Kubectl) -> str:
    """Whatever others than the Secrets' readers may see: objects, Events, logs and requests to the API server."""
    objects = kubectl("get", "mfd,deployment,replicaset,service,pod,events", "-o", "yaml")
    pods = kubectl("logs", "--selector=app.kubernetes.io/managed-by=modelfleet", "--all-containers", "--tail=-1")
    system = Kubectl(kubectl.kubeconfig, SYSTEM)
    operator = system("logs", "--selector=app.kubernetes.io/name=modelfleet-operator", "--tail=-1")
    return objects + pods + operator + AuditLog.of(kubectl.kubeconfig).path.read_text()
