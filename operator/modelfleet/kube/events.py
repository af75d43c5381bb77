"""Events as `kubectl describe` and `kubectl events` show them: one per occurrence that differs, counted."""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from modelfleet.core.errors import Conflict, ModelfleetError
from modelfleet.kube.client import EVENTS, KubeClient
from modelfleet.kube.wire import Object, micro_time

logger = logging.getLogger(__name__)

NOTE_BYTES = 1024
# A note to people must not hold up the work that it is about.
PATIENCE_S = 5.0
# What repeats is counted here, and written at most this often.
INTERVAL_S = 60.0
REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to an object (`regarding`: the object itself), and which action of ours led to it."""

    regarding: Object
    type: Literal["Normal", "Warning"]
    reason: str
    note: str
    action: str


@dataclass(slots=True)
class _Tally:
    unwritten: int = 0
    written_at: float = float("-inf")


class Recorder:
    """Writes Events to one cluster, in the name of a controller (`modelfleet.dev/operator`) and its instance."""

    def __init__(
        self, client: KubeClient, *, controller: str, instance: str, interval_s: float = INTERVAL_S
    ) -> None:
        self._client = client
        self._controller = controller
        self._instance = instance
        self._interval_s = interval_s
        self._tallies: OrderedDict[str, _Tally] = OrderedDict()

    async def emit(self, event: Event) -> None:
        """Record an occurrence; never raises, since no work may fail for want of a note about it."""
        name = name_of(event)
        tally = self._tally(name)
        tally.unwritten += 1
        if time.monotonic() - tally.written_at < self._interval_s:
            return
        count, tally.unwritten = tally.unwritten, 0
        # Also if it fails: a cluster in trouble is not helped by more of them.
        tally.written_at = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._write(name, event, count)
        except (ModelfleetError, TimeoutError) as error:
            tally.unwritten += count
            logger.warning(
                "The Event %s (%s) is not recorded: %s",
                event.reason,
                event.note,
                str(error) or "no answer in time",
            )

    def _tally(self, name: str) -> _Tally:
        tally = self._tallies.setdefault(name, _Tally())
        self._tallies.move_to_end(name)
        if len(self._tallies) > REMEMBERED:
            self._tallies.popitem(last=False)
        return tally

    async def _write(self, name: str, event: Event, count: int) -> None:
        body = self._body(name, event)
        if count == 1:
            try:
                await self._client.create(body)
                return
            except Conflict:
                pass
        known = await self._client.get(EVENTS, body["metadata"]["namespace"], name)
        if known is None:
            await self._client.create(body)
        else:
            await self._client.replace(counted(known, count))

    def _body(self, name: str, event: Event) -> Object:
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"namespace": event.regarding["metadata"].get("namespace") or "default", "name": name},
            "eventTime": micro_time(),
            "type": event.type,
            "reason": event.reason,
            "note": clipped(event.note),
            "action": event.action,
            "regarding": reference(event.regarding),
            "reportingController": self._controller,
            "reportingInstance": self._instance,
        }


def name_of(event: Event) -> str:
    """The same name for the same occurrence, whichever process sees it."""
    metadata = event.regarding["metadata"]
    what = "\0".join((metadata["uid"], event.type, event.reason, event.note))
    return f"{metadata['name'][:200]}.{hashlib.sha256(what.encode()).hexdigest()[:16]}"


def reference(body: Object) -> Object:
    """An ObjectReference."""
    metadata = body["metadata"]
    named = {key: metadata[key] for key in ("namespace", "name", "uid", "resourceVersion") if key in metadata}
    return {"apiVersion": body["apiVersion"], "kind": body["kind"]} | named


def counted(known: Object, more: int) -> Object:
    """A stored Event that has happened again."""
    count = (known.get("series") or {}).get("count", 1) + more
    return known | {"series": {"count": count, "lastObservedTime": micro_time()}}


def clipped(note: str) -> str:
    """At most as many bytes as the API takes, and never half a character."""
    encoded = note.encode()
    if len(encoded) <= NOTE_BYTES:
        return note
    return encoded[: NOTE_BYTES - len("…".encode())].decode(errors="ignore") + "…"
