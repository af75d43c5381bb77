"""The log of requests and their answers: a share of them, as lines of JSON in a file or in blobs.

Lines wait in a bounded queue for a thread that writes them. What does not fit there is dropped and counted: no
request ever waits for its line.
"""

from __future__ import annotations

import logging
import random
import time
from queue import Empty, Full, Queue
from threading import Thread
from typing import TYPE_CHECKING

from modelserver.observe.outage import Outage
from modelserver.observers.entry import entry
from modelserver.observers.sinks import SinkFails
from modelserver.observers.threads import ended_within

if TYPE_CHECKING:
    from prometheus_client import Counter

    from modelserver.live.settings import RequestLogSettings
    from modelserver.observe.outage import Outage
    from modelserver.observers.entry import Entry
    from modelserver.observers.finished import Finished
from modelserver.observers.sinks import Sink

log = logging.getLogger(__name__)

MAX_WAITING = 1000
MAX_WAITING_BYTES = 32 * 1024 * 1024


class RequestLog:
    """The observer that gives requests to `writer`, of the share and up to the size that `settings` say."""

    def __init__(self, writer: LogWriter, settings: RequestLogSettings) -> None:
        self._writer = writer
        self._share = settings.percent / 100
        self._max_body_bytes = settings.max_body_bytes

    def finished(self, request: Finished) -> None:
        """Keeps what is to be written of `request`, if it is of those."""
        if random.random() < self._share:  # noqa: S311  # nobody gains by guessing
            self._writer.put(entry(request, self._max_body_bytes))


class LogWriter:
    """Writes entries to `sink`, in a thread of its own. `lines` counts them by `outcome`: written or dropped."""

    def __init__(self, sink: Sink, lines: Counter) -> None:
        self._sink = sink
        self._lines = lines
        self._queue: Queue[Entry | None] = Queue(MAX_WAITING)
        self._bytes_in = self._bytes_out = 0  # of what waits; each is counted by one thread only
        self._ended = False
        self._outage = Outage(log, "the request log is incomplete", "the request log is written again")
        self._thread = Thread(target=self._run, name="request-log", daemon=True)
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Has `entry` written soon, or drops it when too much waits already."""
        try:
            if self._bytes_in - self._bytes_out > MAX_WAITING_BYTES:
                raise Full
            self._queue.put_nowait(entry)
        except Full:
            self._lines.labels("dropped").inc()
        else:
            self._bytes_in += entry.size

    async def close(self, within_s: float) -> None:
        """Writes what waits and ends the thread, unless that takes longer than `within_s`. Nothing may follow."""
        await ended_within(within_s, self._end)

    def _end(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while entries := self._next():
            self._write(entries)

    def _next(self) -> list[Entry]:
        """What the sink should write at once; nothing when it is the end."""
        found: list[Entry] = []
        size, until = 0, 0.0
        while size < self._sink.gather_bytes and not self._ended:
            try:
                entry = self._queue.get(timeout=max(0, until - time.monotonic()) if found else None)
            except Empty:
                break
            if entry is None:
                self._ended = True
                break
            until = until or time.monotonic() + self._sink.gather_s
            size += entry.size
            found.append(entry)
        self._bytes_out += size
        return found

    def _write(self, entries: list[Entry]) -> None:
        try:
            self._sink.write(b"".join(entry.line() for entry in entries))
        except (SinkFails, TypeError) as error:  # TypeError is what orjson raises
            self._lines.labels("dropped").inc(len(entries))
            self._outage.failed(str(error))
        else:
            self._lines.labels("written").inc(len(entries))
            self._outage.worked()
