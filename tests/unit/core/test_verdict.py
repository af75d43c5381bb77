"""Each situation has one verdict, worded for the person who is on call."""

from modelfleet.core.conditions import Verdict
from modelfleet.core.revision import revision_of
from modelfleet.core.verdict import judge, pods_of, ready_count
from tests.support.objects import leaving, pod, ready_pod, world
from tests.unit.core.situations import NEW, OLD, Situation, in_every_situation


def verdict_on(situation: Situation) -> Verdict:
    return judge(situation.owner, revision_of(situation.owner.spec), situation.observed, situation.problem)


@in_every_situation
def test_the_verdict_names_the_situation(situation: Situation) -> None:
    verdict = verdict_on(situation)
    assert verdict.reason == situation.reason, verdict.message
    assert verdict.phase == situation.phase, verdict
    assert (verdict.ready, verdict.available, verdict.stalled) == (
        situation.ready,
        situation.available,
        situation.stalled,
    )


@in_every_situation
def test_the_message_is_for_a_person(situation: Situation) -> None:
    message = verdict_on(situation).message
    start, end = situation.says
    assert message.startswith(start)
    assert message.endswith(end)
    assert ".." not in message
    assert ": ." not in message


@in_every_situation
def test_nothing_is_called_ready_and_stalled_or_degraded(situation: Situation) -> None:
    verdict = verdict_on(situation)
    assert not (verdict.ready and (verdict.stalled or verdict.degraded))


def test_pods_of_other_revisions_and_leaving_ones_do_not_count() -> None:
    pods = [ready_pod(NEW, "a"), leaving(ready_pod(NEW, "b")), ready_pod(OLD, "c"), pod(NEW, "d")]
    observed, revision = world(NEW, pods=pods), revision_of(NEW.spec)
    assert [p["metadata"]["name"] for p in pods_of(revision, observed)] == ["a", "b", "d"]
    assert ready_count(revision, observed) == 1
