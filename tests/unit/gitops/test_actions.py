"""Argo CD's actions: which it offers when, and what comes of them."""

import subprocess
from collections.abc import Callable

import pytest
import yaml
from lupa import lua51

from tests.support.argocd import KIND, MANIFESTS, acted, actions, config, enabled, run
from tests.support.kubectl import KUBECTL
from tests.support.pretend_cluster import PretendCluster
from tests.unit.gitops.scenes import SCENES

OFFERED = {
    "never observed": set(),
    "first install": {"pause"},
    "all is well": {"pause"},
    "rolling": set(),
    "a canary starts": {"promote", "abort", "pause"},
    "a canary runs": {"promote", "abort", "pause"},
    "paused before it begins": {"resume"},
    "paused at a step": {"promote", "abort", "resume"},
    "a step to be approved": {"approve", "promote", "abort", "pause"},
    "frozen": {"pause"},
    "inconclusive for too long": {"promote", "abort", "pause"},
    "promoting": {"abort", "pause"},
    "baking": {"promote", "abort", "pause"},
    "held by onFailure: Pause": {"promote", "abort", "retry", "pause"},
    "going back": {"retry", "pause"},
    "rolled back": {"retry", "pause"},
    "a canary too coarse": {"pause"},
}


def do(c: PretendCluster, action: str, seconds: float = 0) -> None:
    """Choose an action that is offered, as a person does in Argo CD; a changed spec is a new generation."""
    assert enabled(c.body)[action], c.status
    spec, c.body = c.body["spec"], acted(c.body, action)
    c.body["metadata"]["generation"] += spec != c.body["spec"]
    c.is_news = True
    c.run(seconds)


def scene(name: str) -> PretendCluster:
    return SCENES[name].build()


@pytest.mark.parametrize("name", OFFERED)
def test_what_is_offered_is_what_makes_a_difference(name: str) -> None:
    assert {action for action, is_enabled in enabled(scene(name).body).items() if is_enabled} == OFFERED[name]


def test_promote_ends_the_step_that_is_shown_and_no_other() -> None:
    c = scene("a canary runs")
    body = acted(c.body, "promote")
    assert body["metadata"]["annotations"]["modelfleet.dev/promote"] == f"{c.target}:1"
    do(c, "promote")
    assert (c.phase, c.step) == ("Canary", 2)
    c.run(60)
    assert (c.phase, c.step) == ("Canary", 2)
    do(c, "promote", 60)
    assert c.results[0] == (c.target, "Succeeded")


def test_approve_lets_the_step_go_on_that_is_shown() -> None:
    c = scene("a step to be approved")
    do(c, "approve", 60)
    assert (c.phase, c.step, c.reason) == ("Canary", 2, "CanaryRunning")


def test_promote_ends_a_bake() -> None:
    c = scene("baking")
    do(c, "promote")
    assert c.results[0] == (c.target, "Succeeded")


def test_promote_goes_on_with_what_is_held() -> None:
    c = scene("held by onFailure: Pause")
    c.controller.behaviour(c.target).error_rate = 0
    do(c, "promote", 30)
    assert (c.phase, c.step, c.is_stalled) == ("Canary", 2, False)


def test_the_same_actions_work_again_and_again() -> None:
    c = scene("a canary runs")
    for _ in range(3):
        do(c, "promote")
        assert c.step == 2
        do(c, "abort", 120)
        assert (c.reason, c.rejected) == ("RolledBack", [c.target])
        do(c, "retry", 60)
        assert (c.reason, c.step, c.rejected) == ("CanaryRunning", 1, [])


def test_retry_tries_again_what_is_held() -> None:
    c = scene("held by onFailure: Pause")
    c.controller.behaviour(c.target).error_rate = 0
    do(c, "retry", 30)
    assert (c.reason, c.is_stalled) == ("CanaryRunning", False)


@pytest.mark.parametrize("build", [lambda: scene("a canary runs"), lambda: scene("inconclusive")])
def test_pause_and_resume_hold_a_rollout_and_let_it_go_on(build: Callable[[], PretendCluster]) -> None:
    c = build()
    c.requests_per_s = 100
    do(c, "pause", 1200)
    assert (c.reason, c.step) == ("Paused", 1)
    do(c, "resume")
    assert c.step == 2


@pytest.mark.parametrize("action", ["approve", "promote", "abort", "pause", "resume"])
def test_an_action_that_came_too_late_says_so(action: str) -> None:
    with pytest.raises(lua51.LuaError, match=r"^(No rollout is under way|There is no spec\.rollout)"):
        acted(scene("rolling").body, action)


def test_an_action_keeps_the_annotations_that_are_there() -> None:
    c = scene("a canary runs")
    c.body["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "fleet:modelfleet.dev/ModelDeployment"}
    assert acted(c.body, "abort")["metadata"]["annotations"].keys() == {
        "argocd.argoproj.io/tracking-id",
        "modelfleet.dev/abort",
    }


def test_what_is_discovered_is_what_is_defined() -> None:
    assert enabled(scene("all is well").body).keys() == actions().keys()


def test_the_config_map_is_argo_cds_own_with_these_two_keys() -> None:
    built = subprocess.run([KUBECTL, "kustomize", MANIFESTS], capture_output=True, text=True, check=True)
    manifest = yaml.safe_load(built.stdout)
    assert manifest["metadata"] == {"name": "argocd-cm", "namespace": "argocd"}
    assert config().keys() == {f"resource.customizations.{kind}.{KIND}" for kind in ("health", "actions")}


@pytest.mark.parametrize(
    "script", ["return os.time()", "return string.format('a')", "return ('a'):rep(2)", "return require('io')"]
)
def test_the_interpreter_has_no_more_than_argo_cds(script: str) -> None:
    with pytest.raises(lua51.LuaError):
        run(script, {})
