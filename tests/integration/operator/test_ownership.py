"""Whose objects they are: deletion, orphans, adoption, and objects of others."""

from functools import partial

import pytest

from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import apply, condition, exists, model_deployment, read, read_all, ready_reason

pytestmark = pytest.mark.usefixtures("operator")

KINDS = ("deployment", "service", "serviceaccount", "poddisruptionbudget", "networkpolicy", "secret", "pod")
OWNED = "modelfleet.dev/deployment=claims"


def test_deleting_leaves_nothing_behind(kubectl: Kubectl) -> None:
    secret = {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {"name": "storage"},
        "stringData": {"sasToken": "sig"},
    }
    apply(kubectl, secret, model_deployment(model={"credentials": {"secretName": "storage"}}))
    exists(kubectl, "poddisruptionbudget", "claims")
    exists(kubectl, "secret", "claims-model")
    kubectl("delete", "mfd", "claims")
    eventually(lambda: not any(read_all(kubectl, kind, OWNED) for kind in KINDS))
    assert exists(kubectl, "secret", "storage")


def test_orphan_leaves_the_workload_and_a_new_owner_adopts_it(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment(deletionPolicy="Orphan"))
    before = exists(kubectl, "deployment", "claims")
    exists(kubectl, "poddisruptionbudget", "claims")
    assert "ownerReferences" not in before["metadata"]
    kubectl("delete", "mfd", "claims")
    apply(kubectl, model_deployment())
    owner = exists(kubectl, "mfd", "claims")
    adopted = eventually(
        lambda: (d := read(kubectl, "deployment", "claims")) and "ownerReferences" in d["metadata"] and d
    )
    assert adopted
    assert adopted["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
    assert adopted["metadata"]["uid"] == before["metadata"]["uid"]
    assert adopted["spec"] == before["spec"]


def test_changing_to_orphan_lets_go_of_what_exists(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment())
    exists(kubectl, "poddisruptionbudget", "claims")
    apply(kubectl, model_deployment(deletionPolicy="Orphan"))
    for kind in KINDS[:5]:
        eventually(partial(is_free, kubectl, kind))


def is_free(kubectl: Kubectl, kind: str) -> bool:
    return "ownerReferences" not in exists(kubectl, kind, "claims")["metadata"]


def test_somebody_elses_object_is_left_alone_and_named(kubectl: Kubectl) -> None:
    foreign = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "claims"},
        "spec": {"ports": [{"port": 9}]},
    }
    apply(kubectl, foreign, model_deployment())
    status = ready_reason(kubectl, "NameConflict")
    assert "Service claims" in status["message"]
    assert condition(status, "Stalled")["status"] == "True"
    assert exists(kubectl, "service", "claims")["spec"]["ports"][0]["port"] == 9
    assert read(kubectl, "deployment", "claims") is None


def test_a_name_conflict_ends_when_the_other_object_is_gone(kubectl: Kubectl) -> None:
    foreign = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "claims"},
        "spec": {"ports": [{"port": 9}]},
    }
    apply(kubectl, foreign, model_deployment())
    ready_reason(kubectl, "NameConflict")
    kubectl("delete", "service", "claims")
    kubectl("annotate", "mfd", "claims", "look=again")
    exists(kubectl, "deployment", "claims")
