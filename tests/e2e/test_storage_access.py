"""A model gets from a private container into its pods; that its credentials go nowhere else, `witness` sees."""

import pytest

from tests.e2e.conftest import STORAGE, Storage, endpoint
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import Manifest, apply, model_deployment, ready_reason

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

PRIVATE = STORAGE.removesuffix("models") + "private/claims/1/"
FROM_SECRET = {"credentials": {"secretName": "storage"}}


def secret(**data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "storage"}, "stringData": data}


@pytest.mark.parametrize("kind", ["sasToken", "accountKey"])
def test_a_private_model_is_served_with_the_credentials_of_a_secret(
    kubectl: Kubectl, storage: Storage, kind: str
) -> None:
    planted = storage.sas("private") if kind == "sasToken" else storage.account_key
    apply(kubectl, secret(**{kind: planted}), model_deployment(uri=PRIVATE, model=FROM_SECRET))
    ready_reason(kubectl, "Serving", within_s=60)


def test_wrong_credentials_are_named_and_right_ones_picked_up(kubectl: Kubectl, storage: Storage) -> None:
    wrong = storage.sas("models")
    apply(kubectl, secret(sasToken=wrong), model_deployment(uri=PRIVATE, model=FROM_SECRET))
    ready_reason(kubectl, "ModelAccessDenied", within_s=60)
    apply(kubectl, secret(sasToken=storage.sas("private")))
    ready_reason(kubectl, "Serving", within_s=180)


def test_a_folder_with_external_data_is_served_as_a_single_file_is(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment(uri=f"{STORAGE}/claims-lstm/1/"))
    status = ready_reason(kubectl, "Serving", within_s=60)
    assert status["models"][0]["files"] == 3
    assert endpoint(kubectl)
