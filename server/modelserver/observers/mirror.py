"""Sends a share of the requests again, to another server, when they have been answered: no user waits for it.

What that server answers is compared with what users got. What is on its way is bounded, in number and in bytes,
with both answers; what comes on top of that is dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
import random
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TYPE_CHECKING

from modelserver.observe.outage import Outage
from modelserver.observers.copies import answer_bytes, copy
from modelserver.observers.finished import MARK
from modelserver.observers.replay import size
from modelserver.observers.room import NoRoom, Room

if TYPE_CHECKING:
    from prometheus_client import Counter

    from modelserver.comparison import Comparison
    from modelserver.live.settings import MirrorSettings
    from modelserver.observers.agreement import Agreement
    from modelserver.observers.answers import Answer
    from modelserver.observers.client import Client
    from modelserver.observers.copies import Copy
    from modelserver.observers.finished import Finished
    from modelserver.observers.room import Place

log = logging.getLogger(__name__)

# A server that has too much to do, maybe because of the copies, says nothing about its model.
OVERLOADED = {429, 503}
MAX_REQUESTS = 64
MAX_BYTES = 64 * 1024 * 1024
# Up to this size of both answers, to compare them takes less of the loop's time than to have a thread do it.
SMALL_BYTES = 2048


class Mirror:
    """The observer that mirrors requests as `settings` say, but never one that is a mirror's already, nor one that
    was not answered well: it could not be compared.

    `requests` counts them by `outcome`: the status of the answer, `error` where there was none, or `dropped`.
    """

    def __init__(
        self, settings: MirrorSettings, requests: Counter, agreement: Agreement, *, with_credentials: bool
    ) -> None:
        self._settings = settings
        self._requests = requests
        self._agreement = agreement
        self._with_credentials = with_credentials
        self._share = settings.percent / 100
        self._client: Client | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = Room(MAX_REQUESTS, MAX_BYTES)
        self._thread = ThreadPoolExecutor(1, "mirror")  # one: with more, the loop would wait longer for its turn
        self._outage = Outage(log, f"no answer from the mirror {settings.url}", "the mirror answers again")

    async def open(self) -> None:
        """Mirrors from now on. The client is loaded in a thread: that takes longer than users should wait."""
        await asyncio.to_thread(import_module, "modelserver.observers.client")
        from modelserver.observers.client import Client  # noqa: PLC0415

        self._client = Client(self._settings.url, self._settings.timeout_s, MAX_REQUESTS)

    def finished(self, request: Finished) -> None:
        """Sends `request` again, if it is of those, and if not too much is on its way already."""
        if random.random() >= self._share or self._client is None:  # noqa: S311
            return
        if MARK in request.asked.headers or not 200 <= request.status < 300:
            return
        try:
            place = self._room.take(size(request) + answer_bytes(request))
        except NoRoom:
            self._requests.labels("dropped").inc()
            return
        task = asyncio.get_running_loop().create_task(self._mirror(self._client, request, place))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Gives up what is on its way."""
        for task in self._tasks:
            task.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._client:
            await self._client.close()

    async def _mirror(self, client: Client, request: Finished, place: Place) -> None:
        with place:
            again = copy(request, with_credentials=self._with_credentials)
            del request  # which holds what others got who were answered together with it
            if again and (answer := await self._answer(client, again, place)) and answer.status not in OVERLOADED:
                self._agreement.count(again.served, await self._compared(again, answer), again.ids)

    async def _answer(self, client: Client, again: Copy, place: Place) -> Answer | None:
        """What the mirror answers; None where that is nothing, or too much."""
        from modelserver.observers.client import NoAnswer  # noqa: PLC0415

        try:
            answer = await client.send(again.replay, place)
        except NoAnswer as error:
            self._requests.labels("error").inc()
            self._outage.failed(str(error))
        except NoRoom:
            self._requests.labels("dropped").inc()
        else:
            self._requests.labels(str(answer.status)).inc()
            self._outage.worked()
            return answer
        return None

    async def _compared(self, again: Copy, answer: Answer) -> Comparison:
        if again.answer_bytes + len(answer.body) <= SMALL_BYTES:
            return again.compared(answer, self._settings.tolerance)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, again.compared, answer, self._settings.tolerance)
