"""At most one leads, whatever happens; and when one can no longer lead, another does soon."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from modelfleet.core.errors import Conflict
from modelfleet.kube.client import LEASES, KubeClient
from modelfleet.kube.lease import LeaseLost, Timing, lead
from modelfleet.kube.wire import micro_time
from tests.integration.kube.gate import Gate
from tests.support.until import until

QUICK = Timing(lease_s=1.5, renew_s=1.0, retry_s=0.1)
# A Lease that is only ever handed over, never waited for.
PATIENT = Timing(lease_s=60, renew_s=50, retry_s=0.1)
NAME = "operator"


class Contender:
    """One process that wants to lead; `leading` from the payload's first step to its last."""

    def __init__(self, election: "Election", client: KubeClient, identity: str, timing: Timing) -> None:
        self.identity = identity
        self.stop = asyncio.Event()
        self.leading = False
        self.ended_at = 0.0
        self.payload: Callable[[], Awaitable[object]] = asyncio.Event().wait
        self.last_steps: Callable[[], Awaitable[object]] | None = None
        self._election = election
        self.task = asyncio.create_task(
            lead(
                client,
                namespace=election.namespace,
                name=NAME,
                identity=identity,
                payload=self._work,
                stop=self.stop,
                timing=timing,
            )
        )

    async def _work(self) -> None:
        self._election.starts(self)
        try:
            await self.payload()
        finally:
            if self.last_steps:
                await self.last_steps()
            self.leading, self.ended_at = False, time.monotonic()


class Election:
    """Everybody who wants the Lease of one namespace, and whether two ever led at once."""

    def __init__(self, kube: KubeClient, namespace: str) -> None:
        self.namespace = namespace
        self.contenders: list[Contender] = []
        self.two_led = False
        self._kube = kube

    def contender(self, identity: str, *, through: KubeClient | None = None, timing: Timing = QUICK) -> Contender:
        self.contenders.append(Contender(self, through or self._kube, identity, timing))
        return self.contenders[-1]

    def starts(self, contender: Contender) -> None:
        self.two_led |= any(other.leading for other in self.contenders)
        contender.leading = True

    async def leader(self, within_s: float = 15) -> Contender:
        """Whoever leads, as soon as somebody does."""
        await until(lambda: any(contender.leading for contender in self.contenders), within_s)
        return next(contender for contender in self.contenders if contender.leading)

    async def lease(self) -> dict[str, Any]:
        return await self._kube.get(LEASES, self.namespace, NAME) or {"spec": {}}

    async def holder(self) -> str:
        return str((await self.lease())["spec"].get("holderIdentity"))

    async def lasts(self) -> None:
        """Long enough for a Lease that nobody renews to end."""
        since = time.monotonic()
        await until(lambda: time.monotonic() > since + QUICK.lease_s * 1.3)


@pytest.fixture
async def election(kube: KubeClient, namespace: str) -> AsyncIterator[Election]:
    election = Election(kube, namespace)
    yield election
    for contender in election.contenders:
        contender.last_steps = None
        contender.task.cancel()
    await asyncio.gather(*(contender.task for contender in election.contenders), return_exceptions=True)
    assert not election.two_led


async def test_one_leads_and_the_other_waits(election: Election) -> None:
    election.contender("one")
    election.contender("two")
    leader = await election.leader()
    await election.lasts()
    assert leader.leading
    assert await election.holder() == leader.identity


async def test_stopping_hands_over_at_once(election: Election) -> None:
    one = election.contender("one", timing=PATIENT)
    await election.leader()
    two = election.contender("two", timing=PATIENT)
    one.stop.set()
    await one.task
    assert await election.leader(within_s=5) is two
    spec = (await election.lease())["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"], spec["leaseDurationSeconds"]) == ("two", 3, 60)


async def test_a_contender_stops_waiting_when_told_so(election: Election) -> None:
    one = election.contender("one")
    await election.leader()
    two = election.contender("two", timing=Timing(lease_s=60, renew_s=50, retry_s=30))
    two.stop.set()
    await asyncio.wait_for(two.task, 5)
    assert one.leading


async def test_the_lease_is_renewed_until_the_payload_has_ended(election: Election) -> None:
    one = election.contender("one")
    await election.leader()
    election.contender("two")
    may_end = asyncio.Event()
    one.last_steps = may_end.wait
    one.stop.set()
    await election.lasts()
    assert one.leading
    may_end.set()
    await one.task


@pytest.mark.parametrize("failure", [None, ZeroDivisionError("a bug")])
async def test_a_payload_that_ends_frees_the_lease(election: Election, failure: Exception | None) -> None:
    end = asyncio.Event()

    async def work() -> None:
        await end.wait()
        if failure:
            raise failure

    one = election.contender("one", timing=PATIENT)
    one.payload = work
    await election.leader()
    two = election.contender("two", timing=PATIENT)
    end.set()
    await asyncio.wait({one.task})
    assert one.task.exception() is failure
    assert await election.leader(within_s=5) is two


async def test_a_payload_may_cancel_whatever_it_finds_when_it_ends(election: Election) -> None:
    async def work() -> None:
        before = asyncio.all_tasks()
        while not (found := asyncio.all_tasks() - before):
            await asyncio.sleep(0)
        for task in found:
            task.cancel()

    one = election.contender("one")
    one.payload = work
    await one.task
    assert await election.holder() == ""


@pytest.mark.parametrize("outage", ["refused", "swallowed"])
async def test_an_outage_stops_the_payload_before_another_may_lead(
    election: Election, gated: KubeClient, gate: Gate, outage: str
) -> None:
    one = election.contender("one", through=gated)
    await election.leader()
    two = election.contender("two")
    if outage == "refused":
        await gate.shut()
    else:
        gate.moving.clear()
    await until(lambda: two.leading)
    assert 0 < one.ended_at < time.monotonic()
    with pytest.raises(LeaseLost):
        await one.task


async def test_a_payload_that_does_not_end_is_not_waited_for_longer_than_the_lease_counts(
    election: Election, gated: KubeClient, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    one = election.contender("one", through=gated)
    one.last_steps = asyncio.Event().wait
    await election.leader()
    await gate.shut()
    started = time.monotonic()
    with pytest.raises(LeaseLost):
        await one.task
    assert time.monotonic() - started < QUICK.lease_s + 0.3
    assert "does not end" in caplog.text


async def test_a_short_blip_is_harmless(
    election: Election, gated: KubeClient, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    one = election.contender("one", through=gated)
    await election.leader()
    election.contender("two")
    await gate.shut()
    await until(lambda: "Cannot connect" in caplog.text)
    await gate.open()
    await election.lasts()
    assert one.leading


async def test_a_renewal_whose_answer_was_lost_is_no_loss(election: Election, kube: KubeClient) -> None:
    one = election.contender("one")
    await election.leader()
    # As if an own renewal had arrived unknown to us: the version we know is no longer current.
    known = await election.lease()
    metadata = {"namespace": election.namespace, "name": NAME, "labels": {"touched": "yes"}}
    touched = {"apiVersion": known["apiVersion"], "kind": known["kind"], "metadata": metadata}
    await kube.apply(touched, field_manager="test")
    await election.lasts()
    assert one.leading


async def test_who_finds_another_in_the_lease_stops(election: Election, kube: KubeClient) -> None:
    one = election.contender("one")
    await election.leader()
    while await election.holder() == "one":
        known = await election.lease()
        try:
            await kube.replace(known | {"spec": known["spec"] | {"holderIdentity": "usurper"}})
        except Conflict:
            continue
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(one.task, 5)
    assert await election.holder() == "usurper"


async def test_a_deleted_lease_is_made_again_by_the_leader(election: Election, kube: KubeClient) -> None:
    one = election.contender("one")
    await election.leader()
    await kube.delete(LEASES, election.namespace, NAME, uid=(await election.lease())["metadata"]["uid"])
    await election.lasts()
    assert one.leading
    assert await election.holder() == "one"


@pytest.mark.parametrize("year", [1999, 2099])
async def test_wall_clocks_do_not_matter(election: Election, monkeypatch: pytest.MonkeyPatch, year: int) -> None:
    monkeypatch.setattr("modelfleet.kube.lease.micro_time", lambda: f"{year}{micro_time()[4:]}")
    one, two = election.contender("one"), election.contender("two")
    leader = await election.leader()
    await election.lasts()
    assert leader.leading
    leader.stop.set()
    await leader.task
    assert await election.leader() is (two if leader is one else one)


async def test_a_crashed_leader_is_followed_when_its_lease_ends(election: Election, kube: KubeClient) -> None:
    now = micro_time()
    crashed = {"holderIdentity": "crashed", "leaseDurationSeconds": 2, "renewTime": now, "acquireTime": now}
    metadata = {"namespace": election.namespace, "name": NAME}
    await kube.create(
        {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": crashed}
    )
    started = time.monotonic()
    election.contender("one")
    await election.leader()
    assert time.monotonic() - started >= QUICK.lease_s


async def test_an_election_survives_an_api_server_that_is_down_when_it_begins(
    election: Election, gated: KubeClient, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    await gate.shut()
    one = election.contender("one", through=gated)
    await until(lambda: "Cannot connect" in caplog.text)
    await gate.open()
    assert await election.leader() is one
