"""Whatever is wrong with a ModelDeployment is said in its status, in words, within seconds."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import STORAGE, Storage
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import Manifest, apply, condition, model_deployment, ready_reason, status_of

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

GOOD = f"{STORAGE}/claims/1/"
TINY = {"requests": {"memory": "16Mi"}, "limits": {"memory": "24Mi"}}
CASES: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "the image does not exist": (
        {"environment": {"image": "localhost/modelfleet/none:1"}},
        "ImageUnavailable",
        "localhost/modelfleet/none:1",
        "Reconciling",
    ),
    "the model does not exist": (
        {"uri": f"{STORAGE}/none/1/"},
        "ModelNotFound",
        "none/1/",
        "Reconciling",
    ),
    "the storage does not exist": (
        {"uri": "http://nobody.blob.svc.cluster.local:10000/models/claims/1/"},
        "StorageUnreachable",
        "nobody.blob.svc.cluster.local",
        "Reconciling",
    ),
    "the container is private": (
        {"uri": f"{STORAGE.removesuffix('models')}private/claims/1/"},
        "ModelAccessDenied",
        "private",
        "Reconciling",
    ),
    "the checksum is another one": (
        {"uri": GOOD, "model": {"sha256": "0" * 64}},
        "ChecksumMismatch",
        "0" * 64,
        "Stalled",
    ),
    "the file is not ONNX": (
        {"uri": f"{STORAGE}/broken/model.onnx"},
        "ModelInvalid",
        "cannot be loaded",
        "Stalled",
    ),
    "the folder holds no model": (
        {"uri": f"{STORAGE}/empty/"},
        "ModelInvalid",
        "holds no .onnx or .ort file",
        "Stalled",
    ),
    "the memory is too small": (
        {"uri": GOOD, "resources": TINY},
        "OutOfMemory|ContainerStartFailed",
        "memory",
        "Reconciling",
    ),
    "no node has so many CPUs": (
        {"uri": GOOD, "resources": {"requests": {"cpu": "900"}}},
        "Unschedulable",
        "Insufficient cpu",
        "Reconciling",
    ),
    "a Secret in env does not exist": (
        {"uri": GOOD, "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "none", "key": "k"}}}]},
        "ContainerConfigInvalid",
        'secret "none" not found',
        "Reconciling",
    ),
}


@pytest.fixture(scope="session", autouse=True)
def oddities(storage: Storage, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A folder without a model, and one with something else under a model's name."""
    folder = tmp_path_factory.mktemp("oddities")
    for name in ("empty", "broken"):
        (folder / name).mkdir()
    (folder / "broken/model.onnx").write_bytes(b"not a model")
    (folder / "empty/readme.txt").write_text("nothing to serve here")
    storage.put(folder, "models")


@pytest.mark.parametrize(("spec", "reasons", "words", "kind"), CASES.values(), ids=CASES.keys())
def test_the_cause_is_in_the_condition(
    kubectl: Kubectl, spec: dict[str, Any], reasons: str, words: str, kind: str
) -> None:
    apply(kubectl, model_deployment(**spec))
    status = one_of(kubectl, reasons.split("|"))
    assert words in condition(status, "Ready")["message"], status
    assert condition(status, kind)["status"] == "True"
    assert condition(status, "Available")["status"] == "False"
    assert status["waitingFor"]["reason"] in reasons


def test_a_mended_spec_recovers_without_help(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment(uri=GOOD, model={"sha256": "0" * 64}))
    ready_reason(kubectl, "ChecksumMismatch", within_s=60)
    apply(kubectl, model_deployment(uri=GOOD))
    ready_reason(kubectl, "Serving", within_s=60)


def test_a_model_that_is_uploaded_late_recovers_without_help(
    kubectl: Kubectl, storage: Storage, models: Path, tmp_path: Path
) -> None:
    folder = f"late-{kubectl.namespace}"
    apply(kubectl, model_deployment(uri=f"{STORAGE}/{folder}/model.onnx"))
    ready_reason(kubectl, "ModelNotFound", within_s=60)
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "model.onnx").write_bytes((models / "claims/1/model.onnx").read_bytes())
    storage.put(tmp_path, "models")
    ready_reason(kubectl, "Serving", within_s=120)


def one_of(kubectl: Kubectl, reasons: list[str]) -> Manifest:
    """The status, once its reason is one of these."""

    def look() -> Manifest:
        status = status_of(kubectl)
        assert condition(status, "Ready").get("reason") in reasons, status
        return status

    return eventually(look, within_s=60)
