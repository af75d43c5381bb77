"""What the status says while pods come and go. There is no node here: the tests write what a kubelet would."""

import pytest

from tests.support import kubelet
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import apply, condition, exists, model_deployment, ready_reason, status_of

pytestmark = pytest.mark.usefixtures("operator")


def waiting(reason: str, message: str) -> dict[str, object]:
    return {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": kubelet.LONG_AGO}],
        "containerStatuses": [
            {
                "name": "server",
                "image": "server:1",
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": {"waiting": {"reason": reason, "message": message}},
            }
        ],
    }


def test_ready_when_all_pods_serve(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment(replicas=2))
    kubelet.make_ready(kubectl, count=2)
    status = ready_reason(kubectl, "Serving")
    assert condition(status, "Ready")["message"].startswith(
        "claims version 1 is served by 2 pods at http://claims."
    )
    assert {c["type"] for c in status["conditions"]} == {"Ready", "Available"}
    assert (status["phase"], status["progress"], status["readyReplicas"]) == ("Healthy", "2/2 ready", 2)
    assert status["models"][0]["digest"] == f"sha256:{kubelet.FETCHED['sha256']}"
    assert "waitingFor" not in status
    kubectl("wait", "--for=condition=Ready", "mfd/claims", "--timeout=5s")


def test_a_failing_new_revision_is_named_while_the_old_one_serves(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment())
    kubelet.make_ready(kubectl)
    before = ready_reason(kubectl, "Serving")["revision"]
    apply(kubectl, model_deployment(version="2"))
    new = eventually(lambda: (r := status_of(kubectl).get("revision")) != before and r)
    assert new
    failing = eventually(lambda: kubelet.pods(kubectl, revision=new))
    kubelet.patch_status(kubectl, failing[0], waiting("ImagePullBackOff", "no such image"))
    status = ready_reason(kubectl, "ImageUnavailable")
    assert "no such image" in status["message"]
    assert "go on serving" in status["message"]
    assert condition(status, "Available")["status"] == "True"
    assert kubelet.pods(kubectl, revision=before)


def test_lost_capacity_is_degraded(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment())
    kubelet.make_ready(kubectl)
    ready_reason(kubectl, "Serving")
    pod = kubelet.pods(kubectl)[0]
    gone = [{"type": "Ready", "status": "False", "lastTransitionTime": kubelet.LONG_AGO}]
    kubelet.patch_status(kubectl, pod, {"conditions": gone})
    eventually(lambda: status_of(kubectl)["phase"] == "Degraded")
    status = status_of(kubectl)
    assert condition(status, "Available")["status"] == "False"
    assert condition(status, "Reconciling")["status"] == "True"


def test_a_quota_that_forbids_pods_is_named(kubectl: Kubectl) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q"},
        "spec": {"hard": {"pods": "0"}},
    }
    apply(kubectl, quota)
    eventually(lambda: exists(kubectl, "resourcequota", "q").get("status", {}).get("hard"))
    apply(kubectl, model_deployment())
    assert "exceeded quota" in ready_reason(kubectl, "PodsRejected")["message"]


def test_no_replicas_is_ready_and_said(kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment(replicas=0))
    assert "raise spec.replicas" in ready_reason(kubectl, "ScaledToZero")["message"]


def test_events_tell_transitions_and_no_more(kubectl: Kubectl) -> None:
    def events() -> list[str]:
        selector = "--field-selector=regarding.kind=ModelDeployment"
        columns = "-o=jsonpath={range .items[*]}{.reason} {.series.count}{'\\n'}{end}"
        return sorted(kubectl("get", "events.events.k8s.io", selector, columns).splitlines())

    apply(kubectl, model_deployment())
    kubelet.make_ready(kubectl)
    ready_reason(kubectl, "Serving")
    eventually(lambda: any("Serving" in event for event in events()))
    before = events()
    kubectl("scale", "mfd/claims", "--replicas=0")
    eventually(lambda: any("ScaledToZero" in event for event in events()))
    assert set(events()) - set(before) <= {"ScaledToZero ", "Scaling "}
