"""All that is applied for a ModelDeployment, written out for review: input.yaml becomes expected.yaml.

``pytest tests/golden --update-golden`` writes the expected files anew. A change in a pod template reaches only
new revisions; a change in anything else is applied to every fleet when the operator is upgraded.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelfleet.core import names
from modelfleet.core.api import parse
from modelfleet.core.observed import Observed
from modelfleet.render.renderer import render
from tests.support.kubernetes_api import unknown_in
from tests.support.objects import planned, stored_owner

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("*/input.yaml"))

Manifest = dict[str, Any]

in_every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def rendered(case: Path) -> list[Manifest]:
    """What is applied for the ModelDeployment of a case, in the order in which it is applied."""
    given = {body["kind"]: body for body in yaml.safe_load_all((case / "input.yaml").read_text())}
    of = parse(stored_owner(given["ModelDeployment"]))
    secrets = {given["Secret"]["metadata"]["name"]: given["Secret"]} if "Secret" in given else {}
    observed = Observed(credentials=secrets, autoscaled="HorizontalPodAutoscaler" in given)
    return [render(view, of) for view in planned(of, observed).children]


def reviewable(manifests: list[Manifest]) -> str:
    """The manifests as YAML, without what repeats the rest in another form."""
    shown = copy.deepcopy(manifests)
    for notes in (manifest["metadata"]["annotations"] for manifest in shown):
        notes[names.APPLIED] = "the digest of all this"
        if names.TEMPLATE in notes:
            notes[names.TEMPLATE] = "spec.template as JSON"
    return yaml.safe_dump_all(shown, sort_keys=False, width=110)


@in_every_case
def test_a_model_deployment_becomes_these_objects(case: Path, request: pytest.FixtureRequest) -> None:
    text = reviewable(rendered(case))
    expected = case / "expected.yaml"
    if request.config.getoption("--update-golden"):
        expected.write_text(text)
    assert text == expected.read_text()


@in_every_case
def test_kubernetes_knows_every_field(case: Path) -> None:
    for manifest in rendered(case):
        assert unknown_in(manifest) == []


@in_every_case
def test_the_recorded_pod_template_is_the_applied_one(case: Path) -> None:
    [deployment] = [manifest for manifest in rendered(case) if manifest["kind"] == "Deployment"]
    recorded = json.loads(deployment["metadata"]["annotations"][names.TEMPLATE])
    assert recorded == deployment["spec"]["template"]


@in_every_case
def test_selectors_select_the_pods(case: Path) -> None:
    manifests = [manifest for manifest in rendered(case) if "spec" in manifest]
    by_kind = {manifest["kind"]: manifest["spec"] for manifest in manifests}
    labels = by_kind["Deployment"]["template"]["metadata"]["labels"].items()
    services = {m["metadata"]["name"]: m["spec"]["selector"].items() for m in manifests if m["kind"] == "Service"}
    assert all((selector <= labels) is not name.endswith("-canary") for name, selector in services.items())
    assert by_kind["Deployment"]["selector"]["matchLabels"].items() <= labels
    assert by_kind["PodDisruptionBudget"]["selector"]["matchLabels"].items() <= labels
    assert by_kind["NetworkPolicy"]["podSelector"]["matchLabels"].items() <= labels


@in_every_case
def test_every_container_is_confined_and_no_token_of_the_cluster_is_mounted(case: Path) -> None:
    [deployment] = [manifest for manifest in rendered(case) if manifest["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in pod["volumes"]}


@in_every_case
def test_a_pod_is_replaced_without_a_failed_request(case: Path) -> None:
    [deployment] = [manifest for manifest in rendered(case) if manifest["kind"] == "Deployment"]
    spec = deployment["spec"]
    pod = spec["template"]["spec"]
    [server] = pod["containers"]
    longest_request_s = 30
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert spec["minReadySeconds"] > 0
    arguments = iter(server["args"])
    assert "--shutdown-delay" in arguments
    assert pod["terminationGracePeriodSeconds"] >= int(next(arguments)) + longest_request_s
    startup, ready, live = (server[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness"))
    assert startup["periodSeconds"] * startup["failureThreshold"] >= spec["progressDeadlineSeconds"]
    assert ready["httpGet"]["path"] != live["httpGet"]["path"]
