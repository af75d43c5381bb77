"""A model that is registered in a workspace: what the pods are given, and what the status tells."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

import pytest

from tests.integration.resolution.conftest import SECRET, TOKEN, of_workspace, principal, resolved
from tests.support import kubelet
from tests.support.azure.workspaces import Environment
from tests.support.eventually import eventually
from tests.support.modeldeployments import apply, exists, read, ready_reason, status_of

if TYPE_CHECKING:
    from tests.support.azure.cloud import Cloud
    from tests.support.azure.workspaces import Workspace
    from tests.support.kubectl import Kubectl
    from tests.support.modeldeployments import Manifest

pytestmark = pytest.mark.usefixtures("operator", "workspace")


def fetcher(kubectl: Kubectl, name: str = "claims") -> Manifest:
    container: Manifest = exists(kubectl, "deployment", name)["spec"]["template"]["spec"]["initContainers"][0]
    return container


def argument(container: Manifest, name: str) -> str:
    found: str = container["args"][container["args"].index(name) + 1]
    return found


def test_pods_get_exactly_the_files_that_were_resolved(kubectl: Kubectl) -> None:
    apply(kubectl, principal(), of_workspace())
    model = resolved(kubectl)["models"][0]
    assert (model["name"], model["version"], model["type"]) == ("claims", "3", "custom_model")
    assert (model["files"], model["sizeBytes"]) == (1, len(b"version 3"))
    assert model["source"].endswith("/workspaces/ml-prod/models/claims/versions/3")
    container = fetcher(kubectl)
    assert argument(container, "--uri") == "https://demo.blob.core.windows.net/models/claims/3/"
    assert argument(container, "--listing") == model["listing"].removeprefix("sha256:")


def test_the_service_principal_reaches_the_fetcher_and_nobody_else(kubectl: Kubectl) -> None:
    apply(kubectl, principal(), of_workspace())
    resolved(kubectl)
    container = fetcher(kubectl)
    assert argument(container, "--credentials") == "/var/run/secrets/modelfleet/claims"
    copied = exists(kubectl, "secret", "claims-model")["data"]
    assert b64decode(copied["claims.clientSecret"]).decode() == SECRET
    seen = kubectl("get", "mfd,deployment,service,pod,replicaset,events", "-o", "json")
    assert not any(planted in seen for planted in (SECRET, copied["claims.clientSecret"], TOKEN))


def test_without_credentials_the_operator_and_the_pods_use_its_workload_identity(kubectl: Kubectl) -> None:
    apply(kubectl, of_workspace(secret=""))
    resolved(kubectl)
    container = fetcher(kubectl)
    given = {variable["name"] for variable in container["env"]}
    assert {"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE"} <= given
    assert read(kubectl, "secret", "claims-model") is None


def test_several_models_come_from_where_each_of_them_is(kubectl: Kubectl) -> None:
    body = of_workspace()
    place = body["spec"]["workspace"]
    body["spec"] = {
        "models": [
            {"name": "claims", "version": "2", "workspace": place},
            {"name": "public", "uri": "https://demo.blob.core.windows.net/public/model.onnx"},
        ]
    }
    apply(kubectl, principal(), body)
    resolved(kubectl)
    pod = exists(kubectl, "deployment", "claims")["spec"]["template"]["spec"]
    assert [container["name"] for container in pod["initContainers"]] == ["fetch", "fetch-2"]
    assert pod["containers"][0]["args"][:4] == [
        "--model",
        "claims:2=/models/claims",
        "--model",
        "public=/models/public",
    ]


def test_an_environment_is_resolved_to_its_image(kubectl: Kubectl, workspace: Workspace) -> None:
    workspace.environments = [Environment("claims-env", "4", "registry.example/claims@sha256:1")]
    apply(kubectl, principal(), of_workspace(environment={"azureml": "claims-env:4"}))
    assert resolved(kubectl)["environment"]["image"] == "registry.example/claims@sha256:1"
    assert fetcher(kubectl)["image"] == "registry.example/claims@sha256:1"


def test_an_environment_that_would_have_to_be_built_is_refused(kubectl: Kubectl, workspace: Workspace) -> None:
    workspace.environments = [Environment("claims-env", "5", "base:1", conda_file='{"name": "x"}')]
    apply(kubectl, principal(), of_workspace(environment={"azureml": "claims-env:5"}))
    status = ready_reason(kubectl, "EnvironmentNeedsBuild")
    assert "build the image, and write it in environment.image" in status["message"]
    assert read(kubectl, "deployment", "claims") is None


def test_a_model_with_two_onnx_files_is_refused_until_one_is_named(kubectl: Kubectl, azure: Cloud) -> None:
    azure.storage.put("models", "claims/1/other.onnx", b"another")
    apply(kubectl, principal(), of_workspace(version="1"))
    assert "model.onnx, other.onnx" in ready_reason(kubectl, "ModelFileAmbiguous")["message"]
    named = of_workspace(version="1")
    named["spec"]["model"]["file"] = "other.onnx"
    apply(kubectl, named)
    resolved(kubectl)
    azure.storage.delete("models", "claims/1/other.onnx")


def test_a_file_that_a_recorded_version_has_not_is_refused_until_it_is_there(
    kubectl: Kubectl, azure: Cloud
) -> None:
    apply(kubectl, principal(), of_workspace(version="2"))
    assert resolved(kubectl)["models"][0]["onnxFiles"] == ["model.onnx"]
    generation = exists(kubectl, "deployment", "claims")["metadata"]["generation"]
    named = of_workspace(version="2")
    named["spec"]["model"]["file"] = "other.onnx"
    apply(kubectl, named)
    message = ready_reason(kubectl, "ModelFileMissing")["message"]
    assert "The model has no file other.onnx; write one of these in model.file: model.onnx." in message
    assert exists(kubectl, "deployment", "claims")["metadata"]["generation"] == generation
    azure.storage.put("models", "claims/2/other.onnx", b"another")
    assert resolved(kubectl, within_s=60)["models"][0]["onnxFiles"] == ["model.onnx", "other.onnx"]
    azure.storage.delete("models", "claims/2/other.onnx")


def test_what_is_resolved_is_not_asked_again(kubectl: Kubectl, azure: Cloud) -> None:
    apply(kubectl, principal(), of_workspace())
    kubelet.make_ready(kubectl)
    ready_reason(kubectl, "Serving")
    asked = len(azure.control.asked)
    kubectl("annotate", "mfd", "claims", "look=again")
    kubectl("patch", "mfd", "claims", "--type=merge", "-p", '{"spec": {"replicas": 2}}')
    eventually(lambda: status_of(kubectl)["observedGeneration"] == 2)
    assert len(azure.control.asked) == asked


def test_a_model_that_was_overwritten_becomes_a_revision_of_its_own(kubectl: Kubectl, azure: Cloud) -> None:
    apply(kubectl, principal(), of_workspace())
    before = resolved(kubectl)
    azure.storage.put("models", "claims/3/model.onnx", b"something else")
    report = '{"reason": "ModelChanged", "message": "the files are not those that were resolved"}'
    ended = {"terminated": {"exitCode": 5, "message": report, "reason": "Error"}}
    pods = eventually(lambda: kubelet.pods(kubectl))
    status = dict(kubelet.READY["initContainerStatuses"][0], state=ended, ready=False)
    placed = {"type": "PodScheduled", "status": "True", "lastTransitionTime": kubelet.LONG_AGO}
    failed = {"phase": "Pending", "conditions": [placed], "initContainerStatuses": [status]}
    kubelet.patch_status(kubectl, pods[0], failed)
    after = eventually(lambda: (s := status_of(kubectl))["revision"] != before["revision"] and s, within_s=60)
    assert after
    assert after["models"][0]["listing"] != before["models"][0]["listing"]
