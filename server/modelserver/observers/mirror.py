"""Sends a share of the requests again, to another server, when they have been answered: no user waits for it.

What is on its way is bounded, in number and in bytes; what comes on top of that is dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
import random
from importlib import import_module
from typing import TYPE_CHECKING

from modelserver.observe.outage import Outage
from modelserver.observers.replay import MARK, replay, size

if TYPE_CHECKING:
    from prometheus_client import Counter

    from modelserver.live.settings import MirrorSettings
    from modelserver.observers.client import Client, MirrorAnswer
    from modelserver.observers.finished import Finished

log = logging.getLogger(__name__)

MAX_REQUESTS = 64
MAX_BYTES = 64 * 1024 * 1024


class Mirror:
    """The observer that mirrors requests as `settings` say, but never one that is a mirror's already.

    `requests` counts them by `outcome`: the status of the answer, `error` where there was none, or `dropped`.
    """

    def __init__(self, settings: MirrorSettings, requests: Counter, *, with_credentials: bool) -> None:
        self._settings = settings
        self._requests = requests
        self._with_credentials = with_credentials
        self._share = settings.percent / 100
        self._client: Client | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._bytes = 0
        self._outage = Outage(log, f"no answer from the mirror {settings.url}", "the mirror answers again")

    async def open(self) -> None:
        """Mirrors from now on. The client is loaded in a thread: that takes longer than users should wait."""
        await asyncio.to_thread(import_module, "modelserver.observers.client")
        from modelserver.observers.client import Client  # noqa: PLC0415

        self._client = Client(self._settings.url, self._settings.timeout_s, MAX_REQUESTS)

    def finished(self, request: Finished) -> None:
        """Sends `request` again, if it is of those, and if not too much is on its way already."""
        if random.random() >= self._share or self._client is None or MARK in request.asked.headers:  # noqa: S311
            return
        bytes_ = size(request)
        if len(self._tasks) >= MAX_REQUESTS or self._bytes + bytes_ > MAX_BYTES:
            self._requests.labels("dropped").inc()
            return
        self._bytes += bytes_
        task = asyncio.get_running_loop().create_task(self._mirror(self._client, request, bytes_))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Gives up what is on its way."""
        for task in self._tasks:
            task.cancel()
        if self._client:
            await self._client.close()

    async def _mirror(self, client: Client, request: Finished, bytes_: int) -> None:
        from modelserver.observers.client import NoAnswer  # noqa: PLC0415

        try:
            if again := replay(request, with_credentials=self._with_credentials):
                self._answered(request, await client.send(again))
        except NoAnswer as error:
            self._requests.labels("error").inc()
            self._outage.failed(str(error))
        finally:
            self._bytes -= bytes_

    def _answered(self, _request: Finished, answer: MirrorAnswer) -> None:
        """Both answers are at hand here: the user's, `_request.answer` (of `_request.values`), and `answer`."""
        self._requests.labels(str(answer.status)).inc()
        self._outage.worked()
