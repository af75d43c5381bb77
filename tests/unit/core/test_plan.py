"""The plan: which objects are wanted, in which order, and which are removed."""

import copy
import dataclasses
import json
from typing import Any

import pytest

from modelfleet.core import names
from modelfleet.core.api import ModelDeployment
from modelfleet.core.children import Defaults, child_key
from modelfleet.core.observed import Observed
from modelfleet.core.plan import Plan
from modelfleet.core.views import DeploymentView, NetworkPolicyView, SecretView
from modelfleet.render.renderer import render
from tests.support.objects import DEFAULTS, deployment, manifests, owner, planned, secret, settled, world

WITH_SECRET = owner(model={"credentials": {"secretName": "storage"}})
IDENTITY = {"credentials": {"workloadIdentity": {"clientId": "the-client", "tenantId": "the-tenant"}}}
SECRET = secret("storage", sasToken="c2ln", note="aGk=")
NEXT_RELEASE = Defaults(server_image="modelfleet/server:2")


def view_of(kind: type[Any], todo: Plan) -> Any:
    found = [view for view in todo.children if isinstance(view, kind)]
    assert len(found) == 1
    return found[0]


def deployment_after(of: ModelDeployment, live: dict[str, Any], defaults: Defaults = DEFAULTS) -> dict[str, Any]:
    """The Deployment that is applied where this one is live."""
    return render(view_of(DeploymentView, planned(of, world(of, live), defaults)), of)


def test_pods_are_applied_last_when_all_that_they_need_is_there() -> None:
    kinds = [
        child_key(view)[0] for view in planned(WITH_SECRET, Observed(credentials={"storage": SECRET})).children
    ]
    assert kinds == ["ServiceAccount", "Secret", "NetworkPolicy", "PodDisruptionBudget", "Service", "Deployment"]


def test_without_credentials_there_is_no_secret() -> None:
    assert "Secret" not in [child_key(view)[0] for view in planned(owner(), Observed()).children]


def test_the_secret_has_the_keys_that_give_access_and_no_others() -> None:
    todo = planned(WITH_SECRET, Observed(credentials={"storage": SECRET}))
    assert view_of(SecretView, todo) == SecretView("claims-model", {"claims.sasToken": "c2ln"})


def test_all_objects_but_the_secret_have_the_name_of_the_owner() -> None:
    views = planned(WITH_SECRET, Observed(credentials={"storage": SECRET})).children
    assert {view.name for view in views if not isinstance(view, SecretView)} == {"claims"}


@pytest.mark.parametrize(
    ("spec", "ports"),
    [
        ({}, (443,)),
        ({"uri": "http://azurite.ml.svc:10000/models/a/"}, (10000,)),
        ({"uri": "http://azurite.ml.svc:10000/models/a/", "model": IDENTITY}, (443, 10000)),
        ({"uri": "http://dns.ml.svc:53/a/"}, ()),
    ],
)
def test_pods_reach_the_storage_and_what_they_sign_in_at(spec: dict[str, Any], ports: tuple[int, ...]) -> None:
    assert view_of(NetworkPolicyView, planned(owner(**spec), Observed())).egress_ports == ports


def test_pods_of_the_revision_before_reach_what_they_need_until_they_are_gone() -> None:
    before = owner(uri="http://azurite.ml.svc:10000/models/a/")
    after = owner()
    rolling = world(after, settled(before))
    policy = manifests(before)["NetworkPolicy", "claims"]
    rolling = dataclasses.replace(rolling, children={**rolling.children, ("NetworkPolicy", "claims"): policy})
    found = view_of(NetworkPolicyView, planned(after, rolling))
    assert (found.egress_ports, found.in_cluster) == ((443, 10000), True)
    over = dataclasses.replace(rolling, children={**rolling.children, ("Deployment", "claims"): settled(after)})
    found = view_of(NetworkPolicyView, planned(after, over))
    assert (found.egress_ports, found.in_cluster) == ((443,), False)


def test_a_done_plan_deletes_nothing() -> None:
    assert planned(owner(), world(owner(), settled(owner()))).delete == ()


def test_the_secret_goes_with_the_credentials_when_no_pod_needs_it_any_more() -> None:
    of = owner()
    observed = world(of, settled(of))
    old = {**observed.children, ("Secret", "claims-model"): secret("claims-model")}
    assert planned(of, dataclasses.replace(observed, children=old)).delete == (("Secret", "claims-model"),)
    rolling = {**old, ("Deployment", "claims"): deployment(of) | {"metadata": settled(WITH_SECRET)["metadata"]}}
    assert planned(of, dataclasses.replace(observed, children=rolling)).delete == ()


def test_objects_that_carry_our_labels_under_another_name_are_left_alone() -> None:
    of = owner()
    observed = world(of, settled(of))
    copies: dict[tuple[str, str], dict[str, Any]] = {
        ("Deployment", "claims-debug"): {},
        ("Secret", "claims"): {},
        ("ConfigMap", "claims"): {},
    }
    todo = planned(of, dataclasses.replace(observed, children={**observed.children, **copies}))
    assert todo.delete == ()


def test_a_revision_keeps_its_pod_template_when_the_operator_is_upgraded() -> None:
    of = owner()
    before = manifests(of)["Deployment", "claims"]
    after = deployment_after(of, deployment(of), NEXT_RELEASE)
    assert after == before


def test_a_revision_keeps_its_pod_template_when_the_templates_change() -> None:
    of = owner()
    live = deployment(of)
    older = {"metadata": {"labels": {"rendered": "by an older release"}}, "spec": {}}
    live["metadata"]["annotations"][names.TEMPLATE] = json.dumps(older)
    assert deployment_after(of, live)["spec"]["template"] == older


def test_a_new_revision_gets_a_new_template_and_the_image_of_today() -> None:
    of = owner(version="2")
    live = deployment(owner(version="1"))
    template = deployment_after(of, live, NEXT_RELEASE)["spec"]["template"]
    assert [c["image"] for c in template["spec"]["containers"]] == ["modelfleet/server:2"]


@pytest.mark.parametrize("record", [None, "", "{", "[]", "{}", "null"])
def test_a_damaged_record_of_the_template_is_made_anew(record: str | None) -> None:
    of = owner()
    live = copy.deepcopy(deployment(of))
    live["metadata"]["annotations"][names.TEMPLATE] = record
    assert deployment_after(of, live) == manifests(of)["Deployment", "claims"]


def test_fields_outside_the_template_follow_the_spec_without_a_rollout() -> None:
    of = owner(replicas=5)
    after = deployment_after(of, deployment(owner(replicas=1)))
    assert after["spec"]["replicas"] == 5
    assert after["spec"]["template"] == manifests(owner(replicas=1))["Deployment", "claims"]["spec"]["template"]


def autoscaled(live: dict[str, Any] | None, manager: str = names.FIELD_MANAGER) -> Observed:
    of = owner(replicas=3)
    observed = dataclasses.replace(world(of, live) if live else Observed(), autoscaled=True)
    if live:
        fields: dict[str, Any] = {"f:spec": {"f:replicas": {}, "f:template": {}}}
        live["metadata"]["managedFields"] = [{"manager": manager, "operation": "Apply", "fieldsV1": fields}]
    return observed


def test_replicas_that_an_autoscaler_takes_over_are_kept_alive_meanwhile() -> None:
    of = owner(replicas=3)
    todo = planned(of, autoscaled(settled(of, replicas=7)))
    assert todo.hand_over_replicas == 7
    assert view_of(DeploymentView, todo).replicas is None


def test_replicas_are_handed_over_once() -> None:
    of = owner(replicas=3)
    assert planned(of, autoscaled(settled(of), names.HANDOVER_MANAGER)).hand_over_replicas is None


def test_a_deployment_that_does_not_exist_has_nothing_to_hand_over() -> None:
    todo = planned(owner(replicas=3), autoscaled(None))
    assert todo.hand_over_replicas is None
    assert view_of(DeploymentView, todo).replicas is None


def test_without_an_autoscaler_the_spec_has_the_say() -> None:
    of = owner(replicas=3)
    todo = planned(of, dataclasses.replace(autoscaled(settled(of, replicas=7)), autoscaled=False))
    assert todo.hand_over_replicas is None
    assert view_of(DeploymentView, todo).replicas == 3
