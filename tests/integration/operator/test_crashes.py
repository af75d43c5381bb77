"""Operator processes come and go; the objects do not notice."""

from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import apply, exists, model_deployment, read, status_of
from tests.support.operator import StartOperator


def test_a_newer_operator_restarts_nobodys_pods(kubectl: Kubectl, start_operator: StartOperator) -> None:
    first = start_operator(server_image="server:1").wait_until_leading()
    apply(kubectl, model_deployment())
    before = exists(kubectl, "deployment", "claims")
    exists(kubectl, "poddisruptionbudget", "claims")
    assert first.stop() == 0
    second = start_operator("operator-1", "server:2")
    second.wait_until_leading()
    apply(kubectl, model_deployment(replicas=2))
    eventually(lambda: exists(kubectl, "deployment", "claims")["spec"]["replicas"] == 2)
    assert exists(kubectl, "deployment", "claims")["spec"]["template"] == before["spec"]["template"]
    apply(kubectl, model_deployment(version="2"))
    eventually(lambda: "server:2" in str(exists(kubectl, "deployment", "claims")["spec"]["template"]))
    assert second.stop() == 0


def test_the_other_process_takes_over_from_one_that_is_killed(
    kubectl: Kubectl, start_operator: StartOperator
) -> None:
    leader = start_operator("operator-a").wait_until_leading()
    standby = start_operator("operator-b")
    apply(kubectl, model_deployment("before"))
    exists(kubectl, "deployment", "before")
    assert not standby.leads()
    leader.kill()
    apply(kubectl, model_deployment("after"))
    exists(kubectl, "deployment", "after", within_s=60)
    assert standby.leads()
    assert standby.stop() == 0


def test_a_deletion_that_nobody_watched_is_noticed(kubectl: Kubectl, start_operator: StartOperator) -> None:
    first = start_operator().wait_until_leading()
    apply(kubectl, model_deployment())
    exists(kubectl, "deployment", "claims")  # which is made last
    first.kill()
    kubectl("delete", "service", "claims")
    second = start_operator("operator-1")
    eventually(lambda: read(kubectl, "service", "claims"), within_s=60)
    assert eventually(lambda: status_of(kubectl))
    assert second.stop() == 0
