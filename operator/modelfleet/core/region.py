"""decide: what becomes of a rollout now. The state machine of one region, in pure functions.

    (none) ──► Canary 1 ──► … ──► Canary n ──► Promoting ──► Baking ──► (none)   Succeeded
       │          │                   │            │            │
       │          └───────────────────┴────────────┴────────────┴──► RollingBack ──► (none)   RolledBack
       └──► Promoting   no canary is asked for, the revision is known to be good, or nothing serves now

Every pass makes one transition at most. What a transition wants done is in the same Decision as the state that it
leads to, and is done before that state is written: a process that dies between the two decides the same again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from modelfleet.core import traffic, waits, window
from modelfleet.core.analysis import Outcome
from modelfleet.core.conditions import timestamp
from modelfleet.core.decision import SUPERSEDED, Decision, Ended, Facts, Waiting
from modelfleet.core.diagnosis import Cause
from modelfleet.core.observed import Deployment
from modelfleet.core.policy import Policy
from modelfleet.core.rollout import SUCCEEDED, Failure, Phase, Rollout
from modelfleet.core.step import Step, weight_of

LOOK_EVERY = timedelta(seconds=10)
"""How often the counters are looked at while a step lasts."""
ABORTED = "Aborted"
FAILED = "RolloutFailed"


def decide(facts: Facts, policy: Policy | None, now: datetime) -> Decision:
    """Return what to run and to remember. Where there is no policy, or nothing to go back to, change at once."""
    if policy is None:
        return Decision(facts.target, previous=_previous(facts))
    decision = _decide(facts, policy, now.replace(microsecond=0))  # as the status remembers it
    return replace(decision, weight=weight_of(decision, facts, policy))


def _decide(facts: Facts, policy: Policy, now: datetime) -> Decision:
    if facts.stable is None:
        return _from_nothing(facts)
    case = _Case(facts, facts.stable, policy, now)
    return case.under_way(facts.rollout) if facts.rollout else case.idle()


def _from_nothing(facts: Facts) -> Decision:
    """Install the target; where somebody has deleted the stable pods, only a canary of it may serve meanwhile."""
    canary = facts.canary
    if facts.gate and canary is None:
        return Decision("", waiting=facts.gate)
    kept = canary.replicas if canary and canary.revision == facts.target else None
    return Decision(facts.target, canary=kept, rollout=facts.rollout if kept else None)


def _previous(facts: Facts) -> str:
    """Return the revision that pods go back to: what runs, unless it never came to run and another did before."""
    live = facts.stable
    if live is None or live.revision == facts.target:
        return live.previous_revision if live else ""
    is_good = live.completed or live.revision in facts.good
    return live.revision if is_good else live.previous_revision or live.revision


@dataclass(frozen=True, slots=True)
class _Case:
    """One decision on a region in which something runs."""

    facts: Facts
    stable: Deployment
    policy: Policy
    now: datetime

    def under_way(self, rollout: Rollout) -> Decision:
        """Decide on a rollout."""
        facts = self.facts
        if rollout.phase is Phase.ROLLING_BACK:
            return self.rolling_back(rollout)
        if rollout.revision != facts.target:
            return self.superseded(rollout)
        if facts.recall:
            return self.go_back(rollout, facts.recall)
        if facts.commands.asks("abort", facts.target):
            return self.go_back(rollout, Failure(ABORTED, f"Revision {facts.target} was aborted by a person."))
        return self.held(rollout, rollout.failure) if rollout.failure else self.advance(rollout)

    # Between rollouts

    def idle(self) -> Decision:
        """Decide while there is no rollout."""
        facts, live = self.facts, self.stable
        if live.revision == facts.target and facts.recall and live.previous_revision:
            return self.go_back(self._new(Phase.BAKING, live.previous_revision), facts.recall)
        if live.revision == facts.target:
            return self._arrived()
        if facts.rejected and not facts.commands.asks("retry", facts.target):
            return self._stay(waits.rejected(facts.target, facts.rejected, live))
        held = facts.gate or waits.hold(self.policy, self.now)
        return self._stay(held) if held else self._start(_previous(facts))

    def _arrived(self) -> Decision:
        """Go on as it is; or with a rollout that the status has forgotten, but the Deployment has not."""
        facts, live = self.facts, self.stable
        unfinished = live.observed and not live.completed and live.previous_revision
        if unfinished and (facts.target not in facts.good or facts.served != facts.target):
            return self._promote(self._new(Phase.PROMOTING, live.previous_revision))
        return Decision(facts.target, previous=live.previous_revision)

    def _start(self, previous: str) -> Decision:
        """Begin, with a canary where there is something to compare with."""
        facts, steps = self.facts, self.policy.steps
        serves = self.stable.count("availableReplicas") > 0 and facts.replicas > 0
        if not steps or not serves or facts.target in facts.good:
            return self._promote(self._new(Phase.PROMOTING, previous))
        coarse = next((step for step in steps if not traffic.is_honest(facts.replicas, step)), None)
        if coarse and facts.route is None:
            return self._stay(waits.too_coarse(facts.replicas, coarse))
        if facts.obstacle:
            return self._stay(waits.blocked(facts.obstacle, self.now + LOOK_EVERY))
        return self._canary(self._new(Phase.CANARY, previous))

    def _new(self, phase: Phase, previous: str) -> Rollout:
        return Rollout(self.facts.target, previous, phase, self.now, self.now, models=self.facts.label)

    def _stay(self, waiting: Waiting | None) -> Decision:
        """Return the decision to leave alone what runs."""
        live, until = self.stable, waiting.until if waiting else None
        return Decision(live.revision, live.previous_revision, waiting=waiting, look_again=until)

    # Forward

    def advance(self, rollout: Rollout) -> Decision:
        """Decide on a rollout that nothing stands in the way of."""
        match rollout.phase:
            case Phase.CANARY if self.policy.steps:
                return self._step(rollout)
            case Phase.CANARY:
                held = waits.hold(self.policy, self.now)
                return self._as_it_is(rollout, held) if held else self._promote(rollout)
            case Phase.PROMOTING:
                return self._promoting(rollout)
            case _:
                return self._baking(rollout)

    def _step(self, rollout: Rollout) -> Decision:
        if self.stable.revision == rollout.revision:
            return self._promote(rollout)  # somebody has deleted the stable pods, and they were made anew
        if self.facts.cause and self.facts.cause.stalled:
            return self.fail(rollout, waits.failure(self.facts.cause))
        if not self._at(rollout).has_pods:
            return self._starting(rollout, "its pods are not ready yet", self.facts.cause)
        if self.facts.commands.asks("promote", rollout.revision, rollout.number):
            return self._next(rollout)
        ready_since = rollout.ready_since
        return self._measured(rollout, ready_since) if ready_since else self._open_window(rollout)

    def _starting(self, rollout: Rollout, lacks: str, cause: Cause | None) -> Decision:
        """Wait for what the step lacks; pods that were ready once may have lost it, however long ago."""
        if rollout.ready_since and rollout.since <= rollout.ready_since:
            rollout = replace(rollout, since=self.now)
        deadline = rollout.since + self.policy.progress_deadline
        if self.now >= deadline:
            return self.fail(rollout, waits.failure(cause) if cause else waits.late("The canary"))
        told = f" {cause.message}" if cause else ""
        message = f"{self._at(rollout).label}: {lacks}.{told}"
        return self._canary(rollout, Waiting(cause.reason if cause else "CanaryStarting", message, deadline))

    def _open_window(self, rollout: Rollout) -> Decision:
        """Let the step's time begin, once a Gateway gives it its share."""
        if not self._at(rollout).is_routed:
            problem = self.facts.route.problem if self.facts.route else None
            return self._starting(rollout, "the Gateway does not give it its share yet", problem)
        return self._counted_from_now(rollout)

    def _counted_from_now(self, rollout: Rollout) -> Decision:
        """Let the time count from now on, and remember what the pods have counted until now."""
        counts = self.facts.counts
        baseline = {**(counts.stable or {}), **(counts.canary or {})} if counts.known else None
        begun = replace(rollout, ready_since=self.now, baseline=baseline)
        return self._canary(begun, self._pausing(begun, self.now + self.policy.pause))

    def _measured(self, rollout: Rollout, ready_since: datetime) -> Decision:
        if self.policy.criteria and rollout.baseline is None and self.facts.counts.known:
            return self._counted_from_now(rollout)
        well = replace(rollout, since=min(rollout.since, ready_since))  # no trouble any more
        return self._running(well, ready_since + self.policy.pause)

    def _running(self, rollout: Rollout, ends: datetime) -> Decision:
        # One that has passed and waits for something else is looked at often as well, and stays passed.
        has_passed = window.has_passed(rollout)
        is_early = self.now < ends or has_passed
        judgement = window.judge_canary(self.facts.counts, rollout, self.policy.criteria, is_early=is_early)
        if judgement and judgement.outcome is Outcome.FAIL:
            return self.fail(window.noted(rollout, judgement, self.now), waits.judged(judgement))
        if self.now < ends:
            return self._canary(rollout, self._pausing(rollout, ends))
        if judgement is None or has_passed:
            return self._passed(rollout)
        rollout = window.noted(rollout, judgement, self.now)
        if judgement.outcome is Outcome.PASS:
            return self._passed(rollout)
        deadline = ends + self.policy.progress_deadline
        return self._canary(rollout, waits.inconclusive(self._at(rollout).label, judgement, self.now, deadline))

    def _passed(self, rollout: Rollout) -> Decision:
        """Leave a step that is over, unless somebody or something holds it."""
        approved = self.facts.commands.asks("approve", rollout.revision, rollout.number)
        if self.policy.approval and not approved:
            return self._canary(rollout, waits.approval(self._at(rollout).label))
        held = waits.hold(self.policy, self.now)
        return self._canary(rollout, held) if held else self._next(rollout)

    def _pausing(self, rollout: Rollout, ends: datetime) -> Waiting:
        return Waiting("CanaryRunning", f"{self._at(rollout).label} until {timestamp(ends)}.", ends)

    def _next(self, rollout: Rollout) -> Decision:
        """Leave the step, for the next one or for all pods."""
        if percent := window.request_percent(self.facts.counts, rollout):
            rollout = replace(rollout, request_percent=percent)
        after = min(rollout.step, len(self.policy.steps) - 1) + 1
        if after == len(self.policy.steps):
            return self._promote(rollout)
        return self._canary(replace(rollout, step=after, since=self.now, ready_since=None, baseline=None))

    def _canary(self, rollout: Rollout, waiting: Waiting | None = None) -> Decision:
        """Return the decision to have the pods of the step. A canary of another revision has to go before."""
        other = self.facts.canary is not None and self.facts.canary.revision != rollout.revision
        # No watch tells of a Deployment that we delete, or of one that a step finds as it is to be.
        is_silent = other or (waiting is None and self._at(rollout).kept_pods == self._at(rollout).pods)
        waiting = waiting or self._begun(rollout)
        return Decision(
            stable=self.stable.revision,
            previous=self.stable.previous_revision,
            canary=None if other else self._at(rollout).pods,
            rollout=rollout,
            waiting=waiting,
            look_again=self.now if is_silent else self._look_again(waiting.until),
        )

    def _begun(self, rollout: Rollout) -> Waiting:
        message = f"{self._at(rollout).label}: its pods are being started."
        return Waiting("CanaryStarting", message, rollout.since + self.policy.progress_deadline)

    def _promote(self, rollout: Rollout) -> Decision:
        begun = replace(
            rollout, phase=Phase.PROMOTING, since=self.now, ready_since=None, baseline=None, failure=None
        )
        is_silent = self.stable.revision == rollout.revision  # what is there already is news to no watch
        kept, again = self._at(rollout).kept_pods, self.now if is_silent else None
        return Decision(rollout.revision, rollout.previous, kept, begun, look_again=again)

    def _promoting(self, rollout: Rollout) -> Decision:
        live, cause = self.stable, self.facts.cause
        deadline = rollout.since + self.policy.progress_deadline
        is_due = self.now >= deadline  # the Deployment's own verdict may be that on the try before
        if live.revision == rollout.revision:
            if live.settled:
                return self._bake(rollout)
            if (live.deadline_exceeded and is_due) or (cause and cause.stalled):
                return self.fail(rollout, waits.failure(cause) if cause else waits.late("The rollout"))
        kept, again = self._at(rollout).kept_pods, None if is_due else deadline
        return Decision(rollout.revision, rollout.previous, kept, rollout, look_again=again)

    def _bake(self, rollout: Rollout) -> Decision:
        if not self.policy.bake:
            return self._succeed(rollout)
        begun = replace(rollout, phase=Phase.BAKING, since=self.now, ready_since=self.now)
        return self._baked(begun, self.policy.bake)

    def _baking(self, rollout: Rollout) -> Decision:
        """Let the clock go on while all pods are as they should be, and stand still otherwise."""
        if self.facts.commands.asks("promote", rollout.revision):
            return self._succeed(rollout)
        if not (self.stable.revision == rollout.revision and self.stable.settled):
            return self._unhealthy(rollout)
        healthy_since = rollout.ready_since or self.now
        if rollout.ready_since is None:
            rollout = replace(rollout, since=self.now, ready_since=self.now)
        if rollout.baseline is None and self.facts.counts.stable is not None:
            rollout = replace(rollout, baseline=self.facts.counts.stable)
        judgement = window.judge_bake(self.facts.counts, rollout, self.policy.criteria)
        if judgement and judgement.outcome is Outcome.FAIL:
            return self.fail(window.noted(rollout, judgement, self.now), waits.judged(judgement))
        left = self.policy.bake - timedelta(seconds=rollout.baked_s) - (self.now - healthy_since)
        return self._baked(rollout, left) if left > timedelta() else self._succeed(rollout)

    def _baked(self, rollout: Rollout, left: timedelta) -> Decision:
        ends = self.now + left
        message = f"All pods serve {self.facts.label}; it counts as good at {timestamp(ends)} if they go on so."
        waiting = Waiting("Baking", message, ends)
        look_again = self._look_again(ends)
        return Decision(rollout.revision, rollout.previous, None, rollout, waiting, look_again=look_again)

    def _unhealthy(self, rollout: Rollout) -> Decision:
        if rollout.ready_since:
            lasted_s = int((self.now - rollout.ready_since).total_seconds())
            baked_s = rollout.baked_s + max(0, lasted_s)  # who noted the start may have had a clock that is ahead
            rollout = replace(rollout, baked_s=baked_s, since=self.now, ready_since=None)
        cause, deadline = self.facts.cause, rollout.since + self.policy.progress_deadline
        if self.now >= deadline or (cause and cause.stalled):
            return self.fail(rollout, waits.failure(cause) if cause else waits.late("A pod"))
        told = f" {cause.message}" if cause else ""
        message = f"Not all pods of {self.facts.label} are ready; while that is so it does not bake.{told}"
        waiting = Waiting(cause.reason if cause else "Baking", message, deadline)
        return Decision(rollout.revision, rollout.previous, None, rollout, waiting, look_again=deadline)

    def _succeed(self, rollout: Rollout) -> Decision:
        return Decision(rollout.revision, rollout.previous, ended=Ended(rollout, SUCCEEDED))

    # Back

    def fail(self, rollout: Rollout, failure: Failure) -> Decision:
        """Go back; or hold everything as it is, where the policy leaves it to a person."""
        if self.policy.on_failure == "Pause":
            return self.held(replace(rollout, failure=failure), failure)
        return self.go_back(rollout, failure)

    def held(self, rollout: Rollout, failure: Failure) -> Decision:
        """Decide on a rollout that failed, and waits for a person to say what to do."""
        commands, revision = self.facts.commands, rollout.revision
        if self.policy.on_failure != "Pause":
            return self.go_back(rollout, failure)
        if commands.asks("promote", revision, rollout.number):
            going = replace(rollout, failure=None)
            return self._next(going) if rollout.phase is Phase.CANARY else self._succeed(going)
        if commands.asks("retry", revision):
            again = replace(rollout, failure=None, since=self.now, ready_since=None, baseline=None, baked_s=0)
            return self._as_it_is(again, Waiting("Retrying", f"Trying revision {revision} again.", self.now))
        message = f"{failure.message} It is held as it is: promote, retry or abort it."
        return self._as_it_is(rollout, Waiting(FAILED, message, stalled=True))

    def _as_it_is(self, rollout: Rollout, waiting: Waiting) -> Decision:
        if rollout.phase is Phase.CANARY:
            return self._canary(rollout, waiting)
        kept = self._at(rollout).kept_pods
        return Decision(rollout.revision, rollout.previous, kept, rollout, waiting, look_again=waiting.until)

    def go_back(self, rollout: Rollout, failure: Failure | None) -> Decision:
        """Begin to return to the revision before; with a failure, the one that failed is not tried again."""
        if failure and not rollout.previous:
            return self._as_it_is(rollout, Waiting(failure.reason, failure.message, stalled=True))
        back = replace(
            rollout, phase=Phase.ROLLING_BACK, since=self.now, ready_since=None, baseline=None, failure=failure
        )
        return self.rolling_back(back)

    def rolling_back(self, rollout: Rollout) -> Decision:
        """Decide while going back. The canary leaves as soon as the stable pods can do without it."""
        live, facts = self.stable, self.facts
        is_late = self.now >= rollout.since + self.policy.progress_deadline
        if facts.target not in {rollout.revision, rollout.previous} and not live.count("availableReplicas"):
            # Nothing serves: forward is the shortest way to something that may.
            return replace(self._start(rollout.previous), ended=waits.went_back(rollout))
        is_back = live.revision == rollout.previous and (live.settled or is_late)
        if is_back and facts.canary is None and rollout is facts.rollout:  # else that it failed is not noted yet
            return self._is_back(rollout)
        # A pod that went missing after all were back is another matter; and a plan has no canary but the target's.
        is_whole = live.revision == rollout.previous and live.completed
        is_short = not is_whole and live.count("availableReplicas") < facts.replicas
        needed = is_short and not is_late and rollout.revision == facts.target
        waiting = Waiting("RollingBack", waits.going_back(rollout), stalled=is_late)
        canary = self._at(rollout).kept_pods if needed else None
        deadline = rollout.since + self.policy.progress_deadline
        # No watch tells of a Deployment that we delete, or of pods that are as they are to be already.
        is_silent = is_late or is_back or (canary is None and facts.canary is not None)
        look_again = self.now if is_silent else deadline
        return Decision(rollout.previous, canary=canary, rollout=rollout, waiting=waiting, look_again=look_again)

    def _is_back(self, rollout: Rollout) -> Decision:
        is_rejected = rollout.failure and rollout.revision == self.facts.target
        waiting = waits.rejected(rollout.revision, rollout.failure, self.stable) if is_rejected else None
        is_over = is_rejected and not self.facts.commands.asks("retry", rollout.revision)
        again = None if is_over else self.now
        return Decision(rollout.previous, waiting=waiting, ended=waits.went_back(rollout), look_again=again)

    def superseded(self, rollout: Rollout) -> Decision:
        """Decide on a rollout whose revision is no longer asked for."""
        facts, ended = self.facts, Ended(rollout, SUPERSEDED)
        if self.stable.revision != rollout.revision:
            return replace(self._stay(None), ended=ended, look_again=self.now)
        serves = self.stable.count("availableReplicas") > 0
        needs_canary = serves and self.policy.steps and facts.target not in facts.good
        if facts.target == rollout.previous or needs_canary or facts.gate:
            return self.go_back(rollout, None)
        if serves and (held := waits.hold(self.policy, self.now)):
            return Decision(rollout.revision, rollout.previous, None, rollout, held, look_again=held.until)
        return replace(self._promote(self._new(Phase.PROMOTING, rollout.previous)), ended=ended)

    # Small questions

    def _at(self, rollout: Rollout) -> Step:
        return Step(self.facts, self.policy, rollout)

    def _look_again(self, until: datetime | None) -> datetime | None:
        if not self.policy.criteria:
            return until
        return min(until or self.now + LOOK_EVERY, self.now + LOOK_EVERY)
