"""One ModelDeployment on the hub becomes pods in the member clusters of all regions that it names."""

from functools import partial
from urllib.request import urlopen

from tests.integration.regions.fleet import Places, claims, reason, region, settle
from tests.support.audit import AuditLog
from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl
from tests.support.members import Member
from tests.support.modeldeployments import apply, exists, model_deployment, read, ready_reason
from tests.support.operator import OperatorProcess

WEST = {"name": "westeurope", "replicas": 2}
NORTH = {"name": "northeurope"}


def is_empty(place: Kubectl) -> bool:
    kinds = "deployment,service,serviceaccount,networkpolicy,poddisruptionbudget"
    return not place("get", kinds, "-l", "modelfleet.dev/deployment=claims", "-o", "name")


def test_it_is_served_in_all_regions_and_gone_from_all_when_it_is_deleted(
    operator: OperatorProcess, kubectl: Kubectl, places: Places
) -> None:
    apply(kubectl, claims(regions=[WEST, NORTH]))
    for place in places.values():
        exists(place, "deployment", "claims")
    status = settle(places, reason(kubectl, "Serving"))
    assert status["regionsReady"] == "2/2"
    assert [(entry["name"], entry["ready"], entry["replicas"]) for entry in status["regions"]] == [
        ("westeurope", True, 2),
        ("northeurope", True, 1),
    ]
    assert read(kubectl, "deployment", "claims") is None
    kubectl("delete", "mfd/claims", "--timeout=30s")
    for place in places.values():
        eventually(partial(is_empty, place))


def test_a_region_that_is_named_no_more_is_cleared_once_the_others_serve(
    operator: OperatorProcess, kubectl: Kubectl, places: Places
) -> None:
    apply(kubectl, claims(regions=[WEST]))
    settle(places, reason(kubectl, "Serving"))
    apply(kubectl, claims(regions=[NORTH]))
    exists(places["northeurope"], "deployment", "claims")
    status = ready_reason(kubectl, "Unschedulable")
    assert region(status, "westeurope")["phase"] == "Removing"
    assert not is_empty(places["westeurope"])
    settle(places, reason(kubectl, "Serving"))
    eventually(partial(is_empty, places["westeurope"]))
    assert not is_empty(places["northeurope"])


def test_one_that_moves_from_the_hub_into_a_region_and_back_serves_all_the_time(
    operator: OperatorProcess, kubectl: Kubectl, places: Places
) -> None:
    both = {"hub": kubectl, **places}
    apply(kubectl, model_deployment())
    settle(both, reason(kubectl, "Serving"))
    apply(kubectl, model_deployment(region="westeurope"))
    exists(places["westeurope"], "deployment", "claims")
    assert not is_empty(kubectl)
    settle(both, lambda: is_empty(kubectl))
    apply(kubectl, {**model_deployment()})
    exists(kubectl, "deployment", "claims")
    assert not is_empty(places["westeurope"])
    settle(both, lambda: is_empty(places["westeurope"]))
    settle(both, reason(kubectl, "Serving"))
    assert "finalizers" not in exists(kubectl, "mfd", "claims")["metadata"]


def test_an_orphan_goes_on_serving_when_it_is_deleted(
    operator: OperatorProcess, kubectl: Kubectl, places: Places
) -> None:
    apply(kubectl, claims(deletionPolicy="Orphan"))
    settle(places, reason(kubectl, "Serving"))
    kubectl("delete", "mfd/claims", "--timeout=30s")
    assert not is_empty(places["westeurope"])
    assert not is_empty(places["northeurope"])


def test_a_canary_finds_the_golden_samples_of_the_hub(
    operator: OperatorProcess, kubectl: Kubectl, places: Places
) -> None:
    rollout = {"canary": {"steps": [50], "pause": "1h"}, "analysis": {"smoke": {"configMapRef": "golden"}}}
    west = {"westeurope": places["westeurope"]}
    apply(kubectl, claims(regions=[WEST], rollout=rollout))
    settle(west, reason(kubectl, "Serving"))
    apply(kubectl, claims("2", regions=[WEST], rollout=rollout))
    status = ready_reason(kubectl, "SamplesMissing")
    assert "golden" in status["message"]
    samples = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "golden"}, "data": {"a.json": "[]"}}
    apply(kubectl, samples)
    settle(west, reason(kubectl, "CanaryRunning"))
    assert exists(places["westeurope"], "configmap", "claims-samples")["data"] == samples["data"]


def test_a_region_without_a_cluster_is_told(operator: OperatorProcess, kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment(region="eastus"))
    status = ready_reason(kubectl, "RegionUnknown")
    assert "eastus" in status["message"]


def test_a_namespace_that_is_missing_in_a_member_is_told(operator: OperatorProcess, kubectl: Kubectl) -> None:
    apply(kubectl, model_deployment(region="westeurope"))
    status = ready_reason(kubectl, "NamespaceMissing")
    assert kubectl.namespace in status["message"]


def test_an_idle_fleet_writes_nothing(
    operator: OperatorProcess, kubectl: Kubectl, places: Places, control_plane: object
) -> None:
    apply(kubectl, claims())
    before = settle(places, reason(kubectl, "Serving"))
    audit = AuditLog.of(kubectl.kubeconfig)
    kubectl("annotate", "mfd/claims", "touched=1")
    eventually(lambda: "touched" in kubectl("get", "mfd/claims", "-o", "yaml"))
    kubectl("annotate", "mfd/claims", "touched-")
    assert ready_reason(kubectl, "Serving") == before
    assert [write for write in audit.writes() if f"/{kubectl.namespace}/" in write and "status" in write] == []


def test_the_metrics_tell_which_members_answer(operator: OperatorProcess, joined: dict[str, Member]) -> None:
    def metrics() -> str:
        with urlopen(f"http://127.0.0.1:{operator.port}/metrics") as page:
            return str(page.read().decode())

    named = [f'{{cluster="{member.name}",region="{member.region}"}} 1.0' for member in joined.values()]
    eventually(lambda: all(f"modelfleet_member_reachable{line}" in metrics() for line in named))
    assert "modelfleet_inventory_failures_total 0.0" in metrics()
