"""The connection to one described cluster: made, watched over, and made again, for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from modelfleet.core.errors import ModelfleetError, Retryable, Terminal, Unauthenticated, Unavailable
from modelfleet.core.inventory.member import Member
from modelfleet.core.inventory.site import State
from modelfleet.core.inventory.standing import Standing, unknown
from modelfleet.reconcile.pace import Backoff, Pace, jittered
from modelfleet.reconcile.session import Session
from modelfleet.reconcile.site import Site

logger = logging.getLogger(__name__)

# What a member says of itself is told in conditions: it may be anything, of any length.
WORD = 64
SENTENCE = 1024


class Link:
    """``uid`` is the cluster that was found by this description before, if any.

    ``selector`` tells what is to be seen in the cluster, ``reread`` reads all descriptions again, and
    ``moved`` hears of whatever is new about the site.
    """

    def __init__(
        self,
        member: Member,
        uid: str,
        enter: Callable[[Member], Session],
        selector: str,
        pace: Pace,
        now: Callable[[], datetime],
        reread: Callable[[], Awaitable[None]],
        moved: Callable[[], None],
    ) -> None:
        self.member = member
        self.uid = uid
        self.has_tried = False
        self._enter = enter
        self._selector = selector
        self._pace = pace
        self._now = now
        self._reread = reread
        self._moved = moved
        self._standing = unknown(now())
        self._session: Session | None = None
        self._joining, self._join_at = Backoff(*pace.joining_s), 0.0
        self._waiting = Backoff(*pace.unreachable_s)
        self._is_suspect = False
        self._nudged = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def site(self) -> Site:
        """The cluster as it is known now."""
        standing = self._standing
        return Site(
            name=self.member.name,
            region=self.member.region,
            uid=self.uid,
            state=standing.state,
            since=standing.since,
            reason=standing.reason,
            message=standing.message,
            origin=self.member.origin,
            cluster=self._session.cluster if self._session else None,
        )

    @property
    def _is_well(self) -> bool:
        return self._standing.state is State.REACHABLE

    def start(self, group: asyncio.TaskGroup) -> None:
        """Begin."""
        self._task = group.create_task(self._run())

    def stop(self) -> None:
        """Let go of the cluster."""
        if self._task:
            self._task.cancel()

    def describe(self, member: Member) -> None:
        """Use another description of the cluster; the connection by the one before stays until this one works."""
        self.member = member
        self._joining.reset()
        self._join_at = 0.0
        self._nudged.set()

    def suspect(self) -> None:
        """Probe now, and forgive nothing; one that is known to be unreachable is asked at its turn."""
        if self._is_well:
            self._is_suspect = True
            self._nudged.set()

    async def _run(self) -> None:
        try:
            while True:
                await self._turn()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pause_s()):
                        await self._nudged.wait()
                self._nudged.clear()
        finally:
            await self._use(None)

    async def _turn(self) -> None:
        patience = 1 if self._is_suspect else self._pace.patience
        self._is_suspect = False
        try:
            await self._reach()
        except Unauthenticated as error:
            self._failed(error, patience=1)
        except ModelfleetError as error:
            self._failed(error, patience)
        except Exception:
            # A defect that one cluster brings to light must not take the others away.
            logger.exception("Reaching the cluster %s failed", self.member.name)
            self._failed(Unavailable("The operator failed at what it answered."), patience)
        else:
            self._waiting.reset()
            self._stand(self._standing.answered(self._now()))
        self.has_tried = True

    async def _reach(self) -> None:
        """Join by a description that is new; where that does not work, the connection that there is may still."""
        if not self._session:
            await self._join()
        elif not self._is_to_join() or not await self._has_joined():
            await self._probe(self._session)

    async def _has_joined(self) -> bool:
        """Join while there is a connection already; returns whether that is to be asked no more."""
        try:
            await self._join()
        except ModelfleetError as error:
            logger.warning("The new description of %s does not work: %s", self.member.name, _sentence(error))
            if not self._session:
                raise
            return False
        return True

    async def _probe(self, session: Session) -> None:
        try:
            await self._become(await session.identity())
        except Unauthenticated:
            # A token may have been rotated. While it is refused for long, the usual readings are enough.
            if not self._is_well:
                raise
            await self._reread()
            if session.is_by(self.member):
                raise
            await self._join()
        if not (self._session and self._is_well):
            await self._join()  # also where it answers again: caches that missed something would be believed

    def _is_to_join(self) -> bool:
        """Whether the connection is by another description than there is now, and it is time to try that."""
        is_outdated = self._session is not None and not self._session.is_by(self.member)
        return is_outdated and (not self._is_well or _clock() >= self._join_at)

    async def _join(self) -> None:
        self._join_at = _clock() + self._joining.next_s()
        session = self._enter(self.member)
        try:
            await self._become(await session.identity())
            await session.follow(self._selector)
        except BaseException:
            await session.close()
            raise
        self._joining.reset()
        await self._use(session)

    async def _become(self, uid: str) -> None:
        """Take note of which cluster it is; of one that is another than before, nothing is known."""
        if uid == self.uid:
            return
        is_another, self.uid = bool(self.uid), uid
        if is_another:
            self._standing = unknown(self._now())
            await self._use(None)
        self._moved()

    async def _use(self, session: Session | None) -> None:
        before, self._session = self._session, session
        if before:
            await before.close()

    def _failed(self, error: ModelfleetError, patience: int) -> None:
        told = _reason(error)[:WORD], _sentence(error)
        self._stand(self._standing.failed(self._now(), *told, patience))

    def _stand(self, standing: Standing) -> None:
        before, self._standing = self._standing, standing
        if (before.state, before.reason) != (standing.state, standing.reason):
            self._log(standing)
        self._moved()

    def _log(self, standing: Standing) -> None:
        if self._is_well:
            logger.info("The cluster %s is reachable", self.member.name)
        else:
            logger.warning("The cluster %s is unreachable: %s", self.member.name, standing.message)

    def _pause_s(self) -> float:
        if self._is_well:
            return jittered(self._pace.probe_s)
        return self._waiting.next_s() if self._session else max(0.0, self._join_at - _clock())


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _reason(error: ModelfleetError) -> str:
    """Return one word: an error's own reason, or where it names none its kind."""
    named = error.reason if isinstance(error, Terminal | Retryable) else ""
    if named not in {"", "ApplyFailed"}:
        return named
    return "CredentialsInvalid" if isinstance(error, Unauthenticated) else type(error).__name__


def _sentence(error: ModelfleetError) -> str:
    return " ".join(str(error).split())[:SENTENCE]
