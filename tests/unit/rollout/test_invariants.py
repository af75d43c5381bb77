"""What holds for every rollout, whatever happens in whatever order."""

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelfleet.core import names
from modelfleet.core.api import ModelDeployment
from modelfleet.core.children import Defaults
from modelfleet.core.commands import read_commands
from modelfleet.core.decision import Decision
from modelfleet.core.observed import ChildKey, Deployment, Observed
from modelfleet.core.rollout import Phase, Rollout, read_rollout, rejection
from tests.support.objects import reported
from tests.support.pretend_cluster import PretendCluster, cluster
from tests.support.pretend_deployments import Behaviour

NONE = "\N{EN DASH}"
VERSIONS = ("1", "2", "3")
STEPS = {"canary": {"steps": [20, 50], "pause": "30s"}, "progressDeadline": "60s"}
ANALYSIS = {"analysis": {"maxErrorRate": "1%", "minRequests": 100}}
POLICIES: list[dict[str, Any] | None] = [
    STEPS,
    {**STEPS, **ANALYSIS, "bake": "40s"},
    {**STEPS, **ANALYSIS, "onFailure": "Pause"},
    {**STEPS, "paused": True},
    {"bake": "40s", "progressDeadline": "60s"},
    {"onFailure": "Pause", "progressDeadline": "60s"},
    {"canary": {"steps": [50], "pause": "0s"}, "progressDeadline": "60s"},
    {**STEPS, **ANALYSIS, "canary": {"steps": [20, 50], "pause": "10s", "approval": True}},
    None,
]
BEHAVIOURS = [
    Behaviour(),
    Behaviour(starts=False),
    Behaviour(error_rate=0.5),
    Behaviour(starts=False, ended=reported("ModelInvalid", "It is none.")),
]
WAITS = {"ApprovalNeeded", "Paused"}
NAMES_AN_ACTION = {"RolledBack", "RolloutFailed", "AnalysisInconclusive", "CanaryTooCoarse", *WAITS}
JUDGED = {"ErrorRateTooHigh", "LatencyTooHigh"}

RUN = st.tuples(st.just("run"), st.sampled_from([1, 7, 20, 70]))
WRITE = st.tuples(st.just("write"), st.sampled_from(VERSIONS))
COMMAND = st.tuples(
    st.just("command"),
    st.sampled_from(["abort", "approve", "promote", "retry"]),
    st.sampled_from(["", ":1", ":2", ":x"]),
)
POLICY = st.tuples(st.just("policy"), st.sampled_from(POLICIES))
MISHAP = st.one_of(
    st.tuples(st.just("break"), st.sampled_from([names.STABLE, names.CANARY])),
    st.tuples(st.just("mend")),
    st.tuples(st.just("behave"), st.sampled_from(VERSIONS), st.sampled_from(BEHAVIOURS)),
    st.tuples(st.just("traffic"), st.sampled_from([0, 50])),
    st.tuples(st.just("measured"), st.booleans()),
    st.tuples(st.just("image"), st.sampled_from(["modelfleet/server:1", "modelfleet/server:2"])),
    st.tuples(st.just("replicas"), st.sampled_from([0, 1, 2, 4])),
)
GATEWAY = {"parentRef": {"name": "public"}}
GATEWAYS = st.tuples(
    st.just("gateway"), st.fixed_dictionaries({"is_away": st.booleans(), "refusal": st.sampled_from(["", "No"])})
)
LOSS = st.tuples(st.just("lose"))
CRASH = st.tuples(st.just("crash"), st.integers(0, 9))
Action = tuple[Any, ...]


def drawn() -> set[tuple[str, str]]:
    """The transitions in the table of docs/rollouts.md; to stay is always possible."""
    page = (Path(__file__).parents[3] / "docs" / "rollouts.md").read_text()
    table = page.partition("| From | To | When |")[2].partition("\n\n")[0]
    lines = [line for line in table.splitlines() if line.startswith(("| `", f"| {NONE}"))]
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in lines]
    words = [(start.strip("`"), end.strip(" `")) for start, ends in rows for end in ends.split(",")]
    return {*words, *((phase, phase) for phase in (NONE, *Phase))}


DRAWN = drawn()


def _phase(rollout: Rollout | None) -> str:
    return str(rollout.phase) if rollout else NONE


class Watched(PretendCluster):
    """A cluster that checks after every reconcile, and at every write, what has to hold."""

    def reconcile(self) -> None:
        stated = self.stated()
        before, status = read_rollout(self.status), self.status
        asked = read_commands(self.body)
        try:
            super().reconcile()
        finally:
            assert self.stated() == stated, "the spec or the annotations were written"
        after = read_rollout(self.status)
        assert (_phase(before), _phase(after)) in DRAWN, "docs/rollouts.md does not know this transition"
        if rejection(status, self.target) and not before and not asked.asks("retry", self.target):
            assert not after or self.owner.spec.rollout is None, "what was rejected is tried again"
        _check_baseline(self, before, after)
        if not self.is_measured and before and not asked.asks("promote", self.target, before.number):
            _check_unmeasured(self, before, after)
        if self.canary and Deployment(self.stable).completed and after and after.phase is Phase.CANARY:
            assert self.running() <= {self.stable_revision, after.revision}, "three revisions run"

    def stated(self) -> str:
        return json.dumps({name: part for name, part in self.body.items() if name != "status"}, sort_keys=True)

    def _execute(self, owner: ModelDeployment, observed: Observed, decision: Decision) -> None:
        super()._execute(owner, observed, decision)
        assert self.canary or not owner.spec.gateway or self.weight == 0, "there is a share without a canary"

    def _apply(self, key: ChildKey, desired: Mapping[str, Any]) -> None:
        kind, name = key
        live = self.controller.deployments.get(name) if kind == "Deployment" else None
        if live and kind == "Deployment":
            _check_apply(self, live, desired)
        super()._apply(key, desired)
        if kind == "HTTPRoute" and self.weight:
            assert self.canary, "a canary has a share before it has pods"
            assert Deployment(self.canary).count("availableReplicas"), "a canary that cannot answer has a share"
        if kind == "Deployment":
            assert self.stable["spec"]["replicas"] == self.owner.spec.replicas, "stable has shrunk"


def _check_apply(c: PretendCluster, live: Mapping[str, Any], desired: Mapping[str, Any]) -> None:
    name, revision = live["metadata"]["name"], desired["metadata"]["annotations"][names.REVISION]
    template = json.dumps(desired["spec"]["template"], sort_keys=True)
    if live["metadata"]["annotations"][names.REVISION] == revision:
        assert template == json.dumps(live["spec"]["template"], sort_keys=True), "pods change without a revision"
    if name == "claims-canary":
        assert revision == live["metadata"]["annotations"][names.REVISION], "a canary turns into another"


def _check_baseline(c: PretendCluster, before: Rollout | None, after: Rollout | None) -> None:
    """Counters that the judgement starts from were read in the step that it is about."""
    if after and after.baseline is not None:
        assert after.ready_since is not None or after.phase is Phase.BAKING
        place = (after.revision, after.started_at, after.phase, after.step)
        if not before or place != (before.revision, before.started_at, before.phase, before.step):
            assert after.ready_since == c.now


def _check_unmeasured(c: PretendCluster, before: Rollout, after: Rollout | None) -> None:
    """Without counters nothing passes a step of a canary, and nothing fails for its answers."""
    policy = c.owner.spec.rollout
    if (
        policy
        and policy.criteria
        and policy.steps
        and before.phase is Phase.CANARY
        and before.revision == c.target
    ):
        assert after is None or after.phase is not Phase.PROMOTING
        assert after is None or after.phase is not Phase.CANARY or after.step == before.step
    if after and after.failure and not before.failure:
        assert after.failure.reason not in JUDGED


def _policy(c: PretendCluster, rollout: dict[str, Any] | None) -> None:
    if rollout or "rollout" in c.body["spec"]:
        c.write(rollout=rollout)


def _break(c: PretendCluster, track: str) -> None:
    if c.pods(track):
        c.break_pod(track)


def _mend(c: PretendCluster) -> None:
    for pod in c.controller.pods:
        if not pod.is_ready and c.controller.behaviour(pod.revision).starts:
            c.mend_pod(pod)


ACTS: dict[str, Callable[..., object]] = {
    "run": PretendCluster.run,
    "write": PretendCluster.write,
    "policy": _policy,
    "replicas": lambda c, count: c.write(replicas=count),
    "command": lambda c, verb, detail: c.command(verb, c.target + detail),
    "break": _break,
    "mend": _mend,
    "behave": lambda c, version, behaviour: c.behave(version, **vars(behaviour)),
    "traffic": lambda c, per_s: setattr(c, "requests_per_s", per_s),
    "measured": lambda c, is_measured: setattr(c, "is_measured", is_measured),
    "image": lambda c, image: setattr(c, "defaults", Defaults(server_image=image)),
    "gateway": lambda c, state: vars(c.gateway).update(state),
    "lose": PretendCluster.lose_status,
    "crash": lambda c, point: setattr(c, "crash_in", point),
}


def act(c: PretendCluster, action: Action) -> None:
    """Do one thing."""
    name, *arguments = action
    ACTS[name](c, *arguments)


def watched(policy: dict[str, Any] | None, gateway: dict[str, Any] | None = None) -> Watched:
    made = cluster(gateway=gateway, **(policy or {}))
    parts = {name: getattr(made, name) for name in ("controller", "gateway", "others")}
    return Watched(made.body, made.now, requests_per_s=50, **parts)


def assert_nothing_to_do(c: PretendCluster) -> None:
    """A reconcile that nothing calls for does nothing; nor does one a second later in a wait for time to pass."""
    c = copy.deepcopy(c)
    c.crash_in = None
    c.reconcile()
    if c.look_again and c.look_again <= c.now:
        return
    look_again, before = c.look_again, len(c.writes)
    c.reconcile()
    assert c.writes[before:] == [], c.status
    moments = [moment for moment in (c.controller.next_moment(c.now), look_again) if moment]
    is_calm = c.reason in {"ApprovalNeeded", "CanaryRunning", "Paused", "RolledBack", "Serving"}
    if is_calm and all((moment - c.now).total_seconds() > 1 for moment in moments):
        c.run(1)
        c.reconcile()
        assert c.writes[before:] == [], c.status


def assert_over(c: PretendCluster) -> None:
    """The rollout has ended, or waits for a person and says so."""
    assert not c.phase or c.reason in NAMES_AN_ACTION, c.status
    assert not c.phase or c.reason in WAITS or c.is_stalled, c.status


def everything(*, examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@everything(examples=100)
@given(
    st.sampled_from(POLICIES),
    st.lists(st.one_of(RUN, WRITE, RUN, COMMAND, POLICY, MISHAP, LOSS, CRASH), min_size=4, max_size=14),
)
def test_whatever_happens_the_invariants_hold_and_every_rollout_comes_to_an_end(
    policy: dict[str, Any] | None, actions: list[Action]
) -> None:
    c = watched(policy)
    for action in [("write", "2"), *actions]:
        act(c, action)
        if action[0] == "run":
            assert_nothing_to_do(c)
    c.run(700)
    assert_over(c)
    assert_nothing_to_do(c)


@everything(examples=50)
@given(
    st.sampled_from(POLICIES),
    st.lists(st.one_of(RUN, WRITE, RUN, COMMAND, POLICY, MISHAP, GATEWAYS, LOSS, CRASH), min_size=4, max_size=14),
)
def test_behind_a_gateway_the_same_holds_and_only_pods_that_answer_have_a_share(
    policy: dict[str, Any] | None, actions: list[Action]
) -> None:
    c = watched(policy, GATEWAY)
    for action in [("write", "2"), *actions]:
        act(c, action)
    c.run(700)
    assert_over(c)
    assert_nothing_to_do(c)


def outcome(c: PretendCluster) -> Any:
    """What there is in the end, but for the times."""
    rejected = [(entry["revision"], entry["reason"]) for entry in c.status.get("rejected", [])]
    return c.stable_revision, c.canary_pods, c.phase, c.step, c.reason, c.results, rejected


@everything(examples=100)
@given(
    st.sampled_from(POLICIES),
    st.lists(st.one_of(RUN, WRITE, RUN, COMMAND, POLICY), min_size=2, max_size=8),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 9)), min_size=1, max_size=6),
    st.sampled_from(BEHAVIOURS),
)
def test_a_process_that_ends_anywhere_changes_nothing_of_what_comes_out(
    policy: dict[str, Any] | None, actions: list[Action], crashes: list[tuple[int, int]], behaviour: Behaviour
) -> None:
    steady, shaky = watched(policy), watched(policy)
    points = dict(crashes)
    for c in (steady, shaky):
        c.behave("2", **vars(behaviour))
        for index, action in enumerate([("write", "2"), *actions, ("run", 400)]):
            c.crash_in = points.get(index) if c is shaky else None
            act(c, action)
    assert outcome(shaky) == outcome(steady)


def test_the_table_of_transitions_is_found_at_all() -> None:
    assert {("Canary", "Promoting"), ("RollingBack", NONE), (NONE, "Canary")} <= DRAWN
