"""From the name of a model to its files, in every form in which Azure says where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelfleet.aml import lookups
from modelfleet.core import api
from tests.integration.azure.conftest import DATASTORE, HOME, SUBSCRIPTION, client, failure, resolved
from tests.support.azure.workspaces import Datastore, Environment, Model, Workspace

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.azure.cloud import Cloud

    Register = Callable[..., Model]

LONG = f"azureml://subscriptions/{SUBSCRIPTION}/{{}}/rg-ml/workspaces/ml-prod/datastores/workspaceblobstore/paths"
IMAGE = "registry.example/claims@sha256:1"


def put(azure: Cloud, container: str, *names: str) -> None:
    for name in names:
        azure.storage.put(container, name, b"content of " + name.encode())


@pytest.mark.parametrize(
    "datastore",
    [DATASTORE, LONG.format("resourceGroups"), LONG.format("resourcegroups"), LONG.format("RESOURCEGROUPS")],
)
@pytest.mark.parametrize("path", ["LocalUpload/ab12/model.onnx", "LocalUpload/ab12"])
def test_a_path_of_a_datastore_is_resolved_in_any_form(
    azure: Cloud, container: str, register: Register, datastore: str, path: str
) -> None:
    put(azure, container, "LocalUpload/ab12/model.onnx")
    register(f"{datastore}/{path}", type="custom_model")
    found = resolved()
    slash = "" if path.endswith(".onnx") else "/"
    assert found.uri == f"https://demo.blob.core.windows.net/{container}/{path}{slash}"
    assert found.source == HOME.source_of("claims", "3")
    assert (found.version, found.files, found.sizeBytes, found.type) == ("3", 1, 38, "custom_model")
    assert len(found.listing) == 64


def test_a_path_may_be_one_of_another_workspace(azure: Cloud, container: str, register: Register) -> None:
    lab = Workspace("44444444-4444-4444-4444-444444444444", "rg-lab", "ml-lab")
    lab.datastores = [Datastore("results", "demo", container)]
    azure.control.workspaces.append(lab)
    put(azure, container, "run/model.onnx")
    place = f"subscriptions/{lab.subscription}/resourceGroups/rg-lab/workspaces/ml-lab"
    register(f"azureml://{place}/datastores/results/paths/run/model.onnx")
    assert resolved().uri.endswith(f"/{container}/run/model.onnx")


def test_a_model_of_a_workspace_may_have_an_https_address(
    azure: Cloud, container: str, register: Register
) -> None:
    put(azure, container, "claims/model.onnx")
    register(f"https://demo.blob.core.windows.net/{container}/claims")
    assert resolved().files == 1


@pytest.mark.parametrize(
    "folder", ["paths/paths/claims", "a folder/ümlaut + plus", "azureml:x/datastores/y/paths/z"]
)
def test_odd_names_of_folders_are_taken_as_they_are(
    azure: Cloud, container: str, register: Register, folder: str
) -> None:
    put(azure, container, f"{folder}/model.onnx")
    register(f"{DATASTORE}/{folder}")
    found = resolved()
    assert found.files == 1
    assert " " not in found.uri


def test_a_slash_at_the_end_changes_nothing(azure: Cloud, container: str, register: Register) -> None:
    put(azure, container, "claims/model.onnx")
    model = register(f"{DATASTORE}/claims")
    before = resolved()
    model.uri += "/"
    assert resolved() == before


def test_siblings_whose_names_begin_alike_never_count(azure: Cloud, container: str, register: Register) -> None:
    put(
        azure, container, "a/model.onnx", "a/model.onnx.bak", "a/model.onnx2/x", "b/model.onnx", "b-old/model.onnx"
    )
    model = register(f"{DATASTORE}/a/model.onnx")
    assert (resolved().files, resolved().sizeBytes) == (1, len("content of a/model.onnx"))
    model.uri = f"{DATASTORE}/b"
    assert resolved().files == 1


def test_blobs_that_only_mark_folders_are_no_files(azure: Cloud, container: str, register: Register) -> None:
    put(azure, container, "claims/1/model.onnx")
    register(f"{DATASTORE}/claims")
    before = resolved()
    for folder in ("claims", "claims/1"):
        azure.storage.put(container, folder, b"", {"hdi_isfolder": "true"})
    assert resolved() == before


def test_a_model_without_files_is_empty(container: str, register: Register) -> None:
    model = register(f"{DATASTORE}/claims")
    assert failure(resolved).reason == "ModelEmpty"
    model.uri = ""
    assert failure(resolved).reason == "ModelEmpty"


def test_what_is_no_path_is_unsupported(register: Register) -> None:
    register("azureml://jobs/1/outputs/model/paths/x")
    assert failure(resolved).reason == "ModelUnsupported"


def test_the_listing_changes_with_any_file_and_with_nothing_else(
    azure: Cloud, container: str, register: Register
) -> None:
    put(azure, container, "claims/model.onnx", "claims/model.onnx.data", "claims-2/model.onnx")
    register(f"{DATASTORE}/claims")
    before = resolved()
    put(azure, container, "claims-2/model.onnx")
    assert resolved() == before
    put(azure, container, "claims/model.onnx.data")
    after = resolved()
    assert after.listing != before.listing
    assert (after.files, after.sizeBytes) == (before.files, before.sizeBytes)


def test_a_folder_of_mlflow_serves_its_only_onnx_file(azure: Cloud, container: str, register: Register) -> None:
    put(azure, container, *(f"m/{name}" for name in ("MLmodel", "conda.yaml", "model.onnx", "model.onnx.data")))
    register(f"{DATASTORE}/m", type="mlflow_model")
    assert (resolved().files, resolved().type) == (4, "mlflow_model")


def test_a_folder_of_triton_serves_its_only_onnx_file(azure: Cloud, container: str, register: Register) -> None:
    put(azure, container, "t/claims/config.pbtxt", "t/claims/1/model.onnx")
    register(f"{DATASTORE}/t", type="triton_model")
    assert (resolved().files, resolved().type) == (2, "triton_model")


def test_of_two_onnx_files_one_has_to_be_named(azure: Cloud, container: str, register: Register) -> None:
    put(azure, container, "claims/a.onnx", "claims/b.onnx")
    register(f"{DATASTORE}/claims")
    assert failure(resolved).reason == "ModelFileAmbiguous"
    assert resolved("b.onnx").files == 2
    assert failure(lambda: resolved("c.onnx")).reason == "ModelFileMissing"


def test_the_stage_is_told_and_whether_it_is_archived(azure: Cloud, container: str, register: Register) -> None:
    put(azure, container, "claims/model.onnx")
    model = register(f"{DATASTORE}/claims", stage="Production")
    assert (resolved().stage, resolved().archived) == ("Production", False)
    model.is_archived = True
    assert resolved().archived


def test_a_list_of_many_pages_is_complete(
    azure: Cloud, container: str, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "PAGE", 10)
    put(azure, container, "claims/model.onnx", *(f"claims/part-{n}" for n in range(24)))
    register(f"{DATASTORE}/claims")
    assert resolved().files == 25


@pytest.mark.parametrize("type_", ["AzureBlob", "AzureDataLakeGen2"])
def test_files_are_in_blob_storage_or_in_a_data_lake(
    azure: Cloud, container: str, register: Register, workspace: Workspace, type_: str
) -> None:
    put(azure, container, "claims/model.onnx")
    register(f"{DATASTORE}/claims")
    workspace.datastores[0].type = type_
    assert resolved().uri == f"https://demo.blob.core.windows.net/{container}/claims/"


@pytest.mark.parametrize(
    "fields", [{"type": "AzureFile"}, {"type": "AzureDataLakeGen1"}, {"protocol": "http"}], ids=str
)
def test_other_datastores_are_unsupported(
    register: Register, workspace: Workspace, fields: dict[str, str]
) -> None:
    register(f"{DATASTORE}/claims")
    for name, value in fields.items():
        setattr(workspace.datastores[0], name, value)
    error = failure(resolved)
    assert error.reason == "DatastoreUnsupported"
    assert "workspaceblobstore of the workspace ml-prod" in str(error)


@pytest.mark.parametrize(
    "address",
    [
        "https://demo.blob.example.com",
        "https://demo.blob.core.windows.net.example.com",
        "https://demo.blob.core.windows.net@example.com",
        "https://example.com/.blob.core.windows.net",
        "https://example.com\\.blob.core.windows.net",
        "https://demo.blob.core.windows.net:444",
    ],
)
def test_no_token_is_sent_to_hosts_that_are_not_azures(azure: Cloud, register: Register, address: str) -> None:
    """Whoever registers a model, or its datastore, says where its files are."""
    register(f"{address}/models/claims")
    azure.tunnel.refused.clear()
    assert failure(resolved).reason == "ModelUnsupported"
    assert azure.tunnel.refused == []


def test_the_endpoint_of_a_datastore_is_azures(azure: Cloud, register: Register, workspace: Workspace) -> None:
    register(f"{DATASTORE}/claims")
    azure.tunnel.refused.clear()
    for endpoint in ("core.example.com", "core.windows.net@example.com", "core.windows.net/example.com"):
        workspace.datastores[0].endpoint = endpoint
        assert failure(resolved).reason == "ModelUnsupported"
    assert azure.tunnel.refused == []
    for endpoint in ("core.usgovcloudapi.net", "core.chinacloudapi.cn"):
        workspace.datastores[0].endpoint = endpoint
        assert failure(resolved).reason == "AzureUnreachable"


def test_the_newest_version_is_found_with_one_request(azure: Cloud, register: Register) -> None:
    for version in ("9", "10", "2"):
        register("azureml://x", version)
    asking = client()
    azure.control.asked.clear()
    assert lookups.latest_version(asking, "claims") == "2"
    assert sum("login." not in asked.host for asked in azure.control.asked) == 1


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"conda_file": '{"dependencies": ["python"]}'}, "a conda file"),
        (
            {"image": None, "build": {"contextUri": "https://x/y", "dockerfilePath": "Dockerfile"}},
            "a Docker context",
        ),
        ({"image": ""}, "no image"),
        ({"image": None}, "no image"),
    ],
    ids=str,
)
def test_an_environment_that_has_to_be_built_is_unsupported(
    workspace: Workspace, fields: dict[str, object], what: str
) -> None:
    workspace.environments = [Environment("claims-env", "4", **{"image": IMAGE, **fields})]  # type: ignore[arg-type]
    error = failure(lambda: lookups.image_of(client(), api.Environment("claims-env:4", HOME)))
    assert error.reason == "EnvironmentNeedsBuild"
    assert f"The environment claims-env:4 has {what}" in str(error)


@pytest.mark.parametrize("conda_file", ["", '""', "null"])
def test_the_image_of_an_environment_is_told(workspace: Workspace, conda_file: str) -> None:
    workspace.environments = [Environment("claims-env", "4", IMAGE, conda_file=conda_file)]
    assert lookups.image_of(client(), api.Environment("claims-env:4", HOME)) == IMAGE
