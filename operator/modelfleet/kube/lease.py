"""Leader election: of all who call `lead` with the same Lease, one runs its payload.

The leader stops its payload `renew_s` after its last renewal; the others wait `lease_s` from the moment they saw
that renewal, by their own clocks. So there is `lease_s - renew_s` for the payload to end, whatever the wall clocks
of the pods say. Nothing here needs a task that was made after the payload: kopf, as the payload, cancels whatever
it finds at its end.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from modelfleet.core.errors import Conflict, ModelfleetError, NotFound
from modelfleet.kube.client import LEASES, KubeClient
from modelfleet.kube.wire import Object, micro_time

logger = logging.getLogger(__name__)

# What the event loop takes to carry out a cancellation.
GRACE_S = 0.1


class LeaseLost(ModelfleetError):
    """We may no longer lead. The payload was cancelled; the process should end, in case that did not stop it."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a lease counts for others, how long the leader goes on without renewal, and how often all try."""

    lease_s: float = 15.0
    renew_s: float = 10.0
    retry_s: float = 2.0


async def lead(
    client: KubeClient,
    *,
    namespace: str,
    name: str,
    identity: str,
    payload: Callable[[], Awaitable[None]],
    stop: asyncio.Event,
    timing: Timing = Timing(),
) -> None:
    """Wait to become the leader, run the payload, and free the Lease when it has ended.

    Returns when the payload returns, or when `stop` is set (which cancels the payload); raises what the payload
    raises, and LeaseLost when the Lease could not be renewed in time. `identity` must be new for each process.
    """
    candidate = Candidate(client, namespace, name, identity, timing)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        if await candidate.acquire(stopping):
            await _lead(candidate, asyncio.ensure_future(payload()), stopping)
    finally:
        stopping.cancel()


async def _lead(candidate: "Candidate", work: asyncio.Future[None], stopping: asyncio.Future[Any]) -> None:
    try:
        await candidate.hold(work, stopping)
    finally:
        # However we got here: the Lease is freed only when the payload has ended, or else runs out by itself.
        work.cancel()
        await asyncio.wait({work}, timeout=candidate.left_s() + GRACE_S)
        if work.done():
            await candidate.release()
        else:
            logger.error("The payload does not end")
    if not work.cancelled():
        work.result()


class Candidate:
    """One contender for one Lease."""

    def __init__(self, client: KubeClient, namespace: str, name: str, identity: str, timing: Timing) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._timing = timing
        # The Lease as last seen. For the leader `_since` is when it sent its last renewal that succeeded, for
        # the others when they saw the Lease change: never a time that another clock has told.
        self._lease: Object | None = None
        self._since = float("-inf")

    def left_s(self) -> float:
        """How long from now the Lease counts if nobody renews it."""
        return max(0.0, self._since + self._timing.lease_s - time.monotonic())

    async def acquire(self, stopping: asyncio.Future[Any]) -> bool:
        """Try until we hold the Lease; False when told to stop before."""
        while not stopping.done():
            if await self._try(self._acquire, self._timing.renew_s):
                logger.info("%s leads", self._identity)
                return True
            # Contenders in step would collide for ever.
            pause_s = self._timing.retry_s * random.uniform(1.0, 1.2)  # noqa: S311 - jitter, not a secret
            await asyncio.wait({stopping}, timeout=pause_s)
        return False

    async def hold(self, work: asyncio.Future[None], stopping: asyncio.Future[Any]) -> None:
        """Renew until the payload ends, also while it takes its time to stop; LeaseLost when that fails."""
        waiting = {work, stopping}
        while not work.done():
            pause_s = min(self._timing.retry_s, self._time_to_renew_s())
            await asyncio.wait(waiting, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
            if stopping in waiting and stopping.done():
                waiting.remove(stopping)
                work.cancel()
            if not work.done():
                await self._try(self._renew, self._time_to_renew_s())
            if self._time_to_renew_s() <= 0:
                raise LeaseLost(f"{self._identity} could not renew the Lease {self._name} in time")

    async def release(self) -> None:
        """Free the Lease, if it is still ours, so that nobody has to wait for its end."""
        await self._try(self._release, self._timing.renew_s)

    def _time_to_renew_s(self) -> float:
        return self._since + self._timing.renew_s - time.monotonic()

    async def _try(self, attempt: Callable[[], Awaitable[bool]], within_s: float) -> bool:
        """One attempt, ended early enough for another one, on another connection, to follow."""
        try:
            async with asyncio.timeout(min(within_s, self._timing.renew_s / 3)):
                return await attempt()
        except (ModelfleetError, TimeoutError) as error:
            logger.warning(
                "%s and the Lease %s: %s", self._identity, self._name, str(error) or "no answer in time"
            )
            return False

    async def _acquire(self) -> bool:
        before, self._lease = self._lease, await self._read()
        if self._lease is not None and _holder(self._lease) not in ("", self._identity):
            if before is None or _version(before) != _version(self._lease):
                self._since = time.monotonic()
            if self.left_s() > 0:
                return False
        return await self._write(self._identity)

    async def _renew(self) -> bool:
        try:
            return await self._write(self._identity)
        except (Conflict, NotFound):
            # Somebody else has it, or deleted it, or an earlier renewal of ours arrived and its answer did not.
            self._lease = await self._read()
        if self._lease is not None and _holder(self._lease) != self._identity:
            self._since = float("-inf")
            return False
        return await self._write(self._identity)

    async def _release(self) -> bool:
        self._lease = await self._read()
        ours = self._lease is not None and _holder(self._lease) == self._identity
        return ours and await self._write("")

    async def _read(self) -> Object | None:
        return await self._client.get(LEASES, self._namespace, self._name)

    async def _write(self, holder: str) -> bool:
        """Write the Lease as last seen with this holder; Conflict when somebody was faster."""
        started = time.monotonic()
        if self._lease is None:
            metadata = {"namespace": self._namespace, "name": self._name}
            self._lease = await self._client.create(
                {
                    "apiVersion": LEASES.api_version,
                    "kind": LEASES.kind,
                    "metadata": metadata,
                    "spec": self._spec(holder),
                }
            )
        else:
            self._lease = await self._client.replace(self._lease | {"spec": self._spec(holder)})
        self._since = started
        return True

    def _spec(self, holder: str) -> Object:
        spec: Object = self._lease.get("spec", {}) if self._lease else {}
        now = micro_time()
        handover = {} if spec.get("holderIdentity", "") == holder else _handover(spec, now)
        duration = math.ceil(self._timing.lease_s)
        return spec | handover | {"holderIdentity": holder, "leaseDurationSeconds": duration, "renewTime": now}


def _handover(spec: Object, now: str) -> Object:
    return {"acquireTime": now, "leaseTransitions": spec.get("leaseTransitions", 0) + 1}


def _holder(lease: Object) -> str:
    return lease.get("spec", {}).get("holderIdentity") or ""


def _version(lease: Object) -> str:
    version: str = lease["metadata"]["resourceVersion"]
    return version
