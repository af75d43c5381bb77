"""Credentials get from the user's Secret to the pods, and nowhere else."""

import base64
import json

import pytest

from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import Manifest, apply, condition, exists, model_deployment, read, ready_reason
from tests.support.operator import OperatorProcess

PLANTED = "planted-secret-7f3a"
WITH_SECRET = {"credentials": {"secretName": "storage"}}


def secret(**data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "storage"}, "stringData": data}


@pytest.mark.usefixtures("operator")
def test_a_missing_secret_is_named(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment(model=WITH_SECRET))
    status = ready_reason(kubectl, "CredentialsMissing")
    assert "Secret storage" in status["message"]
    assert condition(status, "Reconciling")["status"] == "True"
    assert read(kubectl, "deployment", "claims") is None


@pytest.mark.usefixtures("operator")
def test_a_secret_without_the_right_keys_is_named_with_its_keys(kubectl: Kubectl) -> None:
    apply(kubectl, secret(password=PLANTED), model_deployment(model=WITH_SECRET))
    message = ready_reason(kubectl, "CredentialsInvalid")["message"]
    assert "its keys are: password" in message
    assert PLANTED not in message


def test_nothing_secret_leaves_the_secrets(kubectl: Kubectl, operator: OperatorProcess) -> None:
    apply(kubectl, secret(accountKey=PLANTED), model_deployment(model=WITH_SECRET))
    copied = exists(kubectl, "secret", "claims-model")
    assert copied["data"] == {"claims.accountKey": base64.b64encode(PLANTED.encode()).decode()}
    exists(kubectl, "poddisruptionbudget", "claims")
    seen = kubectl("get", "mfd,deployment,service,pod,replicaset,events", "-o", "json") + operator.log.read_text()
    for form in (PLANTED, base64.b64encode(PLANTED.encode()).decode()):
        assert form not in seen


@pytest.mark.usefixtures("operator")
def test_a_changed_secret_is_picked_up_without_restarting_pods(kubectl: Kubectl) -> None:
    apply(kubectl, secret(accountKey="one"), model_deployment(model=WITH_SECRET))
    before = exists(kubectl, "deployment", "claims")["metadata"]["generation"]
    exists(kubectl, "secret", "claims-model")
    apply(kubectl, secret(accountKey="two"))
    kubectl("annotate", "mfd", "claims", "look=again")
    two = base64.b64encode(b"two").decode()
    eventually(lambda: exists(kubectl, "secret", "claims-model")["data"]["claims.accountKey"] == two)
    assert exists(kubectl, "deployment", "claims")["metadata"]["generation"] == before


@pytest.mark.usefixtures("operator")
def test_workload_identity_reaches_only_the_fetcher(kubectl: Kubectl) -> None:
    identity = {
        "clientId": "00000000-0000-0000-0000-000000000001",
        "tenantId": "00000000-0000-0000-0000-000000000002",
    }
    apply(kubectl, model_deployment(model={"credentials": {"workloadIdentity": identity}}))
    pod = exists(kubectl, "deployment", "claims")["spec"]["template"]["spec"]
    fetch, server = pod["initContainers"][0], pod["containers"][0]
    assert "AZURE_FEDERATED_TOKEN_FILE" in json.dumps(fetch["env"])
    assert "AZURE_FEDERATED_TOKEN_FILE" not in json.dumps(server)
    assert pod["automountServiceAccountToken"] is False
