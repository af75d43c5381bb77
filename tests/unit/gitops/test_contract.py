"""What the status says in each phase of a rollout is understood by kstatus (Flux, kpt) and by Argo CD."""

import pytest

from modelfleet.core.conditions import find
from modelfleet.core.registered import Resolved
from modelfleet.core.status import status_of
from tests.support.argocd import health
from tests.support.kstatus import kstatus_of
from tests.support.pretend_cluster import START
from tests.unit.core.situations import DEGRADED, HEALTHY, PROGRESSING, Situation, in_every_situation
from tests.unit.gitops.reading import assert_offered, assert_understood
from tests.unit.gitops.scenes import SCENES, Scene

in_every_scene = pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())


@in_every_scene
def test_each_phase_is_read_as_it_is_meant(scene: Scene) -> None:
    body = scene.body
    reason = find(body["status"].get("conditions", []), "Ready").get("reason", "")
    assert (reason, kstatus_of(body), health(body)[0]) == (scene.reason, scene.kstatus, scene.argocd), body[
        "status"
    ]
    if body["status"]["observedGeneration"] != -1:
        assert_understood(body)


@in_every_scene
def test_argo_cd_offers_what_the_command_does_not_refuse(scene: Scene) -> None:
    assert_offered(scene.body)


@in_every_situation
def test_what_keeps_pods_from_serving_is_read_as_it_is_meant(situation: Situation) -> None:
    owner = situation.owner
    status = status_of(Resolved(owner), situation.observed, situation.problem, START)
    body = {**owner.body, "status": status}
    assert_understood(body)
    expected = {HEALTHY: "Healthy", PROGRESSING: "Progressing", DEGRADED: "Degraded"}
    assert health(body)[0] == expected[situation.phase]


def test_a_new_version_that_azure_does_not_tell_of_is_no_reason_not_to_be_healthy() -> None:
    body = SCENES["Azure is silent while it serves"].body
    assert find(body["status"]["conditions"], "ModelsResolved")["status"] == "False"
    assert (kstatus_of(body), health(body)[0]) == ("Current", "Healthy")


def test_what_a_hold_is_about_is_shown_beside_it() -> None:
    judged, message = health(SCENES["frozen"].body)
    assert judged == "Suspended"
    assert message.startswith("Rollouts are frozen until")


def test_without_any_status_argo_cd_waits() -> None:
    body = SCENES["never observed"].body
    del body["status"]
    assert health(body)[0] == "Progressing"


def test_a_canary_that_answers_alone_keeps_it_available_and_none_that_answers_is_said() -> None:
    c = SCENES["a canary runs"].build()
    for pod in c.pods("stable"):
        pod.ready_at = None
    c.run(30)
    assert find(c.status["conditions"], "Available")["status"] == "True"
    assert health(c.body)[0] == "Progressing"
    for pod in c.pods("canary"):
        pod.ready_at = None
    c.run(30)
    assert find(c.status["conditions"], "Available")["status"] == "False"
    assert health(c.body)[0] == "Degraded"
    assert c.status["message"].endswith("No pod answers requests.")
