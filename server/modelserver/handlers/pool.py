"""The processes of one handler: which request each answers next, and what happens when one of them ends.

Each answers one request at a time. Requests that find none idle wait, in their order, no longer than a run may
take. One that a process had not begun when it ended goes to the next; only the one that it was running is lost.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from modelserver.errors import Error, HandlerInvalid, Unavailable
from modelserver.handlers import process
from modelserver.handlers.frames import Frame, TooLarge
from modelserver.handlers.process import GRACE_S, HandlerProcess, Lost

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from prometheus_client import Counter

    from modelserver.handlers.launch import Launch
    from modelserver.handlers.process import Exchange
    from modelserver.observe.metrics import ModelMeter

log = logging.getLogger(__name__)

MAX_WAITING = 1000
# A process that ends is replaced at once; when that does not help, later and later.
PAUSES_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
# At the first start Kubernetes' startup probe says how long init() may take.
RESTART_S = 300.0
# A restart within this time is not worth losing the traffic over.
READY_FOR_S = 3.0


class HandlerFailed(Error):
    """The process ended while it ran the request, or had to be ended."""


class RequestTooLarge(Error):
    """The request cannot be passed on to the process."""

    status = 413


@dataclass(slots=True, eq=False)
class Job:
    """A request that waits for its answer, a frame or an Error, until `deadline` (the event loop's time)."""

    head: dict[str, Any]
    body: bytes | memoryview
    answer: Callable[[Frame | Error], None]
    deadline: float
    expiry: asyncio.TimerHandle | None = None  # while it waits
    submitted: float = field(default_factory=time.perf_counter)


class Pool:
    """The processes of the handler `name`: `count` of them, of which each run may take `timeout_s`.

    `interface` is what the script says of its input and output, None until it has started; `trouble` is why no
    process could be started the last time, if so.
    """

    def __init__(
        self,
        name: str,
        launch: Launch,
        count: int,
        timeout_s: float,
        exchange: Exchange,
        meter: ModelMeter,
        restarts: Counter,
    ) -> None:
        self.interface: dict[str, Any] | None = None
        self.trouble = ""
        self._name = name
        self._launch = launch
        self._count = count
        self._timeout_s = timeout_s
        self._exchange = exchange
        self._meter = meter
        self._restarts = restarts
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Job] = deque()
        self._idle: list[HandlerProcess] = []
        self._up: set[HandlerProcess] = set()
        self._last_up = self._loop.time()
        self._losses = 0  # since the last answer
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def ready(self) -> bool:
        """Whether requests are likely to be answered."""
        return self.interface is not None and (bool(self._up) or self._loop.time() - self._last_up < READY_FOR_S)

    async def start(self) -> None:
        """Returns when every process has called `init`. Raises HandlerInvalid when that does not end well."""
        try:
            started = await asyncio.gather(*(self._started() for _ in range(self._count)))
        except Lost as error:
            raise HandlerInvalid(str(error)) from None
        self.interface = started[0].interface
        for handler in started:
            self._join(handler)

    def submit(
        self, head: dict[str, Any], body: bytes | memoryview, answer: Callable[[Frame | Error], None]
    ) -> None:
        """Calls `answer` once, later. Raises Unavailable when it would be in vain to wait."""
        if self.interface is None:
            raise Unavailable("the handler is still starting; try again in a moment")
        if not self.ready:
            raise Unavailable("the handler does not start any more, and the log says why; try again later")
        if len(self._waiting) >= MAX_WAITING:
            raise Unavailable(f"{MAX_WAITING} requests already wait for the handler; try again later")
        self._meter.in_flight += 1
        job = Job(head, body, answer, self._loop.time() + self._timeout_s)
        self._waiting.append(job)
        self._await_turn(job)

    async def close(self) -> None:
        """Ends all processes."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(handler.end() for handler in self._up))

    # Requests

    def _await_turn(self, job: Job) -> None:
        """Has `job`, which is among those that wait, run by the next idle process, unless it becomes too late."""
        job.expiry = self._loop.call_at(job.deadline, self._expire, job)
        self._give()

    def _expire(self, job: Job) -> None:
        self._waiting.remove(job)
        self._answer(job, Unavailable(f"the handler was busy for {self._timeout_s:g} s; try again later"))

    def _give(self) -> None:
        while self._waiting and self._idle:
            job = self._waiting.popleft()
            if job.expiry:
                job.expiry.cancel()
            self._do(self._run(self._idle.pop(), job))

    async def _run(self, handler: HandlerProcess, job: Job) -> None:
        started = time.perf_counter()
        try:
            result = await self._result(handler, job)
        except Lost as error:
            if not error.begun and self._loop.time() < job.deadline:
                self._waiting.appendleft(job)
                self._await_turn(job)
                return
            result = self._failure(job, error)
        else:
            self._losses = 0
            self._rest(handler)
        self._meter.queue_seconds.observe(started - job.submitted)
        self._meter.ran(1, time.perf_counter() - started, time.time())
        self._answer(job, result)

    async def _result(self, handler: HandlerProcess, job: Job) -> Frame | Error:
        """What the process answers. It interrupts its run itself, if it can, before it is killed. Raises Lost."""
        left_s = max(job.deadline - self._loop.time(), 0.001)
        limits = {"seconds": left_s, "timeout_ms": round(self._timeout_s * 1000)}
        late = self._loop.call_later(left_s + GRACE_S, handler.kill)
        try:
            return await handler.run(Frame({**job.head, **limits}, [job.body]))
        except TooLarge as error:
            return RequestTooLarge(f"the request cannot be given to the handler: {error}")
        finally:
            late.cancel()

    def _failure(self, job: Job, error: Lost) -> HandlerFailed:
        if self._loop.time() >= job.deadline:
            return HandlerFailed(f"Scoring timeout after {round(self._timeout_s * 1000)} ms")
        return HandlerFailed(f"the handler's process {error} while it ran this request")

    def _answer(self, job: Job, result: Frame | Error) -> None:
        self._meter.in_flight -= 1
        job.answer(result)

    # Processes

    async def _started(self) -> HandlerProcess:
        began = time.perf_counter()
        handler = await process.start(self._launch, self._name, self._exchange)
        try:
            await handler.initialise(self._launch)
        except BaseException:  # also when the server stops meanwhile
            handler.kill()
            raise
        seconds = round(time.perf_counter() - began, 3)
        log.info("handler ready", extra={"handler": self._name, "pid": handler.pid, "init_s": seconds})
        return handler

    def _join(self, handler: HandlerProcess) -> None:
        self._up.add(handler)
        handler.gone.add_done_callback(partial(self._left, handler))
        self._rest(handler)

    def _rest(self, handler: HandlerProcess) -> None:
        """The process has nothing to do, unless somebody waits; it may also have ended meanwhile."""
        if handler in self._up:
            self._idle.append(handler)
            self._give()

    def _left(self, handler: HandlerProcess, _: asyncio.Future[None]) -> None:
        self._up.discard(handler)
        if handler in self._idle:
            self._idle.remove(handler)
        if self._closed:
            return
        self._losses += 1
        self._last_up = self._loop.time()
        log.error(
            "the handler's process %s", handler.how_it_ended, extra={"handler": self._name, "pid": handler.pid}
        )
        self._do(self._replace())

    async def _replace(self) -> None:
        """Starts a process until one is up."""
        while True:
            await asyncio.sleep(PAUSES_S[min(self._losses, len(PAUSES_S)) - 1] if self._losses else 0)
            self._restarts.inc()
            try:
                async with asyncio.timeout(RESTART_S):
                    handler = await self._started()
            except (HandlerInvalid, Lost, TimeoutError) as error:
                self._losses += 1
                self.trouble = str(error) or f"init() did not end within {RESTART_S:g} s"
                log.error("the handler did not start again: %s", error, extra={"handler": self._name})
            else:
                self.trouble = ""
                self._join(handler)
                return

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
