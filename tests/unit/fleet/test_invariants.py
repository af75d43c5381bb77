"""What holds for every fleet, whatever happens to its regions in whatever order."""

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from modelfleet.core.policy import Policy
from modelfleet.core.rollout import succeeded
from modelfleet.core.waves import read_journey
from tests.support.pretend_deployments import Behaviour
from tests.support.pretend_fleet import REGIONS, PretendFleet, fleet
from tests.unit.rollout.test_invariants import everything

VERSIONS = ("1", "2", "3")
WAVES = [{"name": "pilot", "regions": ["west"]}, {"name": "rest", "regions": ["*"]}]
APPROVED = [WAVES[0], {**WAVES[1], "approval": True}]
SHORT = {"bake": "40s", "progressDeadline": "60s", "analysis": {"maxErrorRate": "1%", "minRequests": 100}}
CANARY = {"canary": {"steps": [50], "pause": "20s"}}
POLICIES: list[dict[str, Any]] = [
    SHORT,
    {**SHORT, "waves": WAVES},
    {**SHORT, **CANARY, "waves": APPROVED},
    {**SHORT, "waves": WAVES, "unreachable": "Skip"},
    {**SHORT, **CANARY, "rollback": "All"},
    {**SHORT, "waves": APPROVED, "rollback": "All", "unreachable": "Skip"},
    {**SHORT, "waves": WAVES, "onFailure": "Pause"},
    {**SHORT, "paused": True},
]
BEHAVIOURS = [Behaviour(), Behaviour(starts=False), Behaviour(error_rate=0.5)]
WAITS = {"ApprovalNeeded", "Paused"}
NEEDS_A_PERSON = {"RolledBack", "RolloutFailed", "AnalysisInconclusive", "CanaryTooCoarse", *WAITS}

REGION = st.sampled_from(REGIONS)
RUN = st.tuples(st.just("run"), st.sampled_from([1, 20, 70]))
WRITE = st.tuples(st.just("write"), st.sampled_from(VERSIONS))
COMMAND = st.tuples(
    st.just("command"),
    st.sampled_from(["abort", "approve", "promote", "retry"]),
    st.sampled_from(["", ":rest", ":1", ":x"]),
)
POLICY = st.tuples(st.just("policy"), st.sampled_from(POLICIES))
OUTAGE = st.one_of(st.tuples(st.just("lose"), REGION), st.tuples(st.just("find"), REGION))
BEHAVE = st.tuples(st.just("behave"), st.sampled_from(VERSIONS), REGION, st.sampled_from(BEHAVIOURS))
CRASH = st.tuples(st.just("crash"), st.integers(0, 9))
Action = tuple[Any, ...]


class Watched(PretendFleet):
    """A fleet that checks after every reconcile what has to hold."""

    def reconcile(self) -> None:
        before = {region: self.running_in(region) for region in self.clusters}
        stable = {region: self.stable_in(region) for region in self.clusters}
        stated, status = self.stated(), self.status
        try:
            super().reconcile()
        finally:
            assert self.stated() == stated, "the spec or the annotations were written"
            assert all(self.stable_in(region) for region in self.clusters), "a Deployment is gone"
            for region in self.away:
                assert self.stable_in(region) == stable[region], "a region was changed that cannot be reached"
        for region, running in before.items():
            if self.target in self.wanted_in(region) - running - {stable[region]}:
                self.check_begin(region, status)
        self.check_status()

    def stated(self) -> str:
        return json.dumps({name: part for name, part in self.body.items() if name != "status"}, sort_keys=True)

    def wanted_in(self, region: str) -> set[str]:
        """The revisions that a region is asked to run."""
        deployments = self.clusters[region].controller.deployments.values()
        return {deployment["metadata"]["annotations"]["modelfleet.dev/revision"] for deployment in deployments}

    def check_begin(self, region: str, status: dict[str, Any]) -> None:
        """A region begins when those before it are done, and when nothing has failed or forbids it."""
        journey, policy = read_journey(self.status), self.owner.spec.rollout or Policy()
        if journey is None or self.target in succeeded(status):
            return
        assert not policy.paused, "it began while the rollout is paused"
        wave = next(wave for wave in journey.waves if region in wave.regions)
        assert wave.approved or not wave.approval, "it began without approval"
        for earlier in journey.waves[: journey.waves.index(wave)]:
            for name in earlier.regions:
                is_skipped = policy.unreachable == "Skip" and name in self.away
                is_done = any(self.target in succeeded(e) for e in status["regions"] if e["name"] == name)
                assert is_skipped or is_done, "it began before its turn"
        assert not self.went_back(status), "a revision that failed in one region began in another"

    def went_back(self, status: dict[str, Any]) -> bool:
        """Whether the target was rejected in a region that nobody has asked to try it again in."""
        if self.body["metadata"].get("annotations", {}).get("modelfleet.dev/retry", "").startswith(self.target):
            return False
        rejected = [item for entry in status.get("regions", []) for item in entry.get("rejected", [])]
        return any(item["revision"] == self.target for item in rejected)

    def check_status(self) -> None:
        """The status tells what is so."""
        for region in self.clusters:
            entry = self.entry(region)
            if region in self.away:
                assert (entry["phase"], entry["ready"]) == ("Unreachable", False)
            else:
                assert entry["stableRevision"] == self.stable_in(region)
                assert "unreachableSince" not in entry
        if self.reason == "Serving":
            assert not self.away
            assert {self.stable_in(region) for region in self.clusters} == {self.target}


def act(f: PretendFleet, action: Action) -> None:
    """Do one thing."""
    match action:
        case ("command", verb, detail):
            f.command(verb, f.target + detail)
        case ("policy", policy):
            f.write(rollout=policy)
        case ("behave", version, region, behaviour):
            f.behave(version, region, **vars(behaviour))
        case ("crash", point):
            f.crash_in = point
        case (name, argument):
            getattr(f, name)(argument)


def watched(policy: dict[str, Any]) -> Watched:
    made = fleet(**{**policy, "paused": False})
    f = Watched(made.body, made.clusters, made.now)
    f.write(rollout=policy)
    f.run()
    return f


def assert_nothing_to_do(f: PretendFleet) -> None:
    """A reconcile that nothing calls for writes nothing."""
    f = copy.deepcopy(f)
    f.crash_in = None
    f.reconcile()
    before = [f.writes, *(len(cluster.writes) for cluster in f.clusters.values())]
    f.look_again = None
    f.reconcile()
    if not (f.look_again and f.look_again <= f.now):
        assert [f.writes, *(len(cluster.writes) for cluster in f.clusters.values())] == before, f.status


def assert_over(f: PretendFleet) -> None:
    """The change has ended, or waits for a person and says so."""
    assert f.reason == "Serving" or f.reason in NEEDS_A_PERSON, f.status
    assert f.reason in {"Serving", *WAITS} or f.is_stalled, f.status


@everything(examples=60)
@given(
    st.sampled_from(POLICIES),
    st.lists(st.one_of(RUN, WRITE, RUN, COMMAND, OUTAGE, BEHAVE, POLICY, CRASH), min_size=3, max_size=12),
)
def test_whatever_happens_the_invariants_hold_and_every_change_comes_to_an_end(
    policy: dict[str, Any], actions: list[Action]
) -> None:
    f = watched(policy)
    for action in [("write", "2"), *actions]:
        act(f, action)
        if action[0] == "run":
            assert_nothing_to_do(f)
    for region in REGIONS:
        f.find(region)
    f.run(1500)
    assert_over(f)
    assert_nothing_to_do(f)


def outcome(f: PretendFleet) -> Any:
    """What there is in the end, but for the times."""
    return f.reason, f.results, {region: (f.stable_in(region), f.reason_in(region)) for region in f.clusters}


@everything(examples=40)
@given(
    st.sampled_from(POLICIES),
    st.lists(st.one_of(RUN, WRITE, RUN, COMMAND, OUTAGE), min_size=2, max_size=7),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 9)), min_size=1, max_size=6),
    st.sampled_from(BEHAVIOURS),
)
def test_a_hub_that_dies_anywhere_changes_nothing_of_what_comes_out(
    policy: dict[str, Any], actions: list[Action], crashes: list[tuple[int, int]], behaviour: Behaviour
) -> None:
    steady, shaky = watched(policy), watched(policy)
    points = dict(crashes)
    for f in (steady, shaky):
        f.behave("2", **vars(behaviour))
        for index, action in enumerate([("write", "2"), *actions]):
            f.crash_in = points.get(index) if f is shaky else None
            act(f, action)
        f.crash_in = None
        for region in REGIONS:
            f.find(region)
        f.run(800)
    assert outcome(shaky) == outcome(steady)
