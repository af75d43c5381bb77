"""A copy of one kind of objects of one cluster, kept up to date, that says which object changed."""

import asyncio
import json
import logging
import random
import sys
import time
import zlib
from collections.abc import Callable, Hashable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Self

from modelfleet.core.errors import ModelfleetError, NotFound, Retryable, Throttled, Unreachable
from modelfleet.kube.client import KubeClient, Resource, WatchEvent
from modelfleet.kube.wire import Object

logger = logging.getLogger(__name__)

Name = tuple[str, str]

MIN_PAUSE_S = 0.2
MAX_PAUSE_S = 30.0


def name_of(body: Object) -> Name:
    """Namespace (empty for what has none) and name."""
    return body["metadata"].get("namespace", ""), body["metadata"]["name"]


def version_of(body: Object) -> int:
    """The resourceVersion; within one resource type a greater one is later."""
    return int(body["metadata"]["resourceVersion"])


def without_managed_fields(body: Object) -> Object:
    """The usual trim: who wrote which field is often half of an object, and no reconcile reads it."""
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return body | {"metadata": metadata}


@dataclass(frozen=True, slots=True)
class _Packed:
    """An object as it is kept: its dicts and strings would take some twenty times the memory."""

    version: int
    uid: str
    key: Hashable | None
    data: bytes

    @classmethod
    def of(cls, body: Object, key: Hashable | None) -> Self:
        data = zlib.compress(json.dumps(body, separators=(",", ":")).encode(), level=1)
        return cls(version_of(body), body["metadata"]["uid"], key, data)

    def body(self) -> Object:
        found: Object = json.loads(zlib.decompress(self.data))
        return found


class Cache:
    """The newest known version of each object, by name and by an index.

    What is returned is a copy. Changes are told as `on_change(object, deleted)`. All three functions get objects
    as `trim` leaves them, except `trim` itself, which must not change what it is given.
    """

    def __init__(
        self,
        *,
        index: Callable[[Object], Hashable | None],
        trim: Callable[[Object], Object],
        on_change: Callable[[Object, bool], None],
    ) -> None:
        self._index = index
        self._trim = trim
        self._on_change = on_change
        self._objects: dict[Name, _Packed] = {}
        self._groups: dict[Hashable, set[Name]] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def names(self) -> list[Name]:
        """The name of every object."""
        return list(self._objects)

    def counts(self) -> dict[Hashable, int]:
        """How many objects there are for each key of the index."""
        return {key: len(names) for key, names in self._groups.items()}

    def get(self, namespace: str | None, name: str) -> Object | None:
        """The object as last seen, or None."""
        known = self._objects.get((namespace or "", name))
        return known.body() if known else None

    def indexed(self, key: Hashable) -> list[Object]:
        """The objects for which the index gives this key, by name."""
        return [self._objects[name].body() for name in sorted(self._groups.get(key, ()))]

    def put(self, body: Object) -> None:
        """Remember what an own write returned, so that the next read sees it; it is news to nobody."""
        if self._is_newer(body):
            self._store(self._trim(body))

    def forget(self, body: Object) -> None:
        """Remember that we have deleted this object (and not a later one of its name)."""
        known = self._objects.get(name_of(body))
        if known is not None and known.uid == body["metadata"]["uid"]:
            self._drop(name_of(body))

    def saw(self, body: Object) -> None:
        """Take over a version that the server showed, and tell if it was news."""
        if not self._is_newer(body):
            return
        before, now = self._objects.get(name_of(body)), self._trim(body)
        self._store(now)
        # Whoever it belonged to until now has lost it.
        if before is not None and before.key != self._index(now):
            self._on_change(before.body(), True)
        self._on_change(now, False)

    def saw_deleted(self, body: Object) -> None:
        """Take over a deletion that the server showed; an object made since then under that name stays."""
        self._deleted(name_of(body), version_of(body))

    def saw_all(self, names: Iterable[Name], version: int) -> None:
        """Drop, and tell, what a listing at that version no longer has."""
        for name in self._objects.keys() - set(names):
            self._deleted(name, version)

    def _deleted(self, name: Name, version: int) -> None:
        known = self._objects.get(name)
        # A later version was put() while the deletion was on its way, or the listing was being read.
        if known is not None and known.version <= version:
            self._drop(name)
            self._on_change(known.body(), True)

    def _is_newer(self, body: Object) -> bool:
        known = self._objects.get(name_of(body))
        return known is None or known.version < version_of(body)

    def _store(self, body: Object) -> None:
        name, key = name_of(body), self._index(body)
        if name in self._objects:
            self._drop(name)
        self._objects[name] = _Packed.of(body, key)
        if key is not None:
            self._groups.setdefault(key, set()).add(name)

    def _drop(self, name: Name) -> None:
        key = self._objects.pop(name).key
        if key is not None:
            self._groups[key].discard(name)
            if not self._groups[key]:
                del self._groups[key]


class Reflector(Cache):
    """Lists, then watches, for ever; lists again and tells the difference whenever the history is lost.

    `synced` is set after the first listing. `last_sync` is when (time.monotonic) the server last answered, be
    it with a bookmark: on a healthy connection about once a minute, however quiet the cluster is.

    A resource that `may_be_absent`, for its definition is somebody else's, has no objects while it `is_absent`.
    """

    def __init__(
        self,
        client: KubeClient,
        resource: Resource,
        *,
        on_change: Callable[[Object, bool], None],
        label_selector: str = "",
        index: Callable[[Object], Hashable | None] = lambda _: None,
        trim: Callable[[Object], Object] = without_managed_fields,
        may_be_absent: bool = False,
        min_pause_s: float = MIN_PAUSE_S,
        max_pause_s: float = MAX_PAUSE_S,
    ) -> None:
        super().__init__(index=index, trim=trim, on_change=on_change)
        self.synced = asyncio.Event()
        self.is_absent = False
        self._may_be_absent = may_be_absent
        self.last_sync = float("-inf")
        self._client = client
        self._resource = resource
        self._selector = label_selector
        self._min_pause_s = min_pause_s
        self._max_pause_s = max_pause_s
        # The version up to which everything is known; empty when only a listing can tell.
        self._position = ""
        # Tries since the server last showed anything.
        self._attempts = 0

    async def run(self) -> None:
        """Never returns and never raises, except by cancellation."""
        while True:
            started, wish_s = time.monotonic(), 0.0
            self._attempts += 1
            try:
                await self._follow()
            except ModelfleetError as error:
                wish_s = self._failed(error)
            except Exception:
                # A bug here, or in a callback, must not leave the operator blind without a word.
                logger.exception("Watching %s failed", self._resource.plural)
                self._position = ""
            if time.monotonic() - started > self._max_pause_s:
                self._attempts = 0
            await asyncio.sleep(max(self._pause_s(), wish_s))

    async def _follow(self) -> None:
        if not self._position:
            await self._list()
        await self._watch()

    async def _list(self) -> None:
        names: set[Name] = set()
        version = ""
        pages = self._client.pages(self._resource, label_selector=self._selector)
        async with aclosing(pages):
            async for page in pages:
                for body in page.items:
                    names.add(name_of(body))
                    self.saw(body)
                version = page.resource_version
        self.saw_all(names, int(version))
        self._position = version
        self._synced(is_absent=False)

    def _synced(self, *, is_absent: bool) -> None:
        self.is_absent = is_absent
        self.last_sync = time.monotonic()
        self.synced.set()

    async def _watch(self) -> None:
        events = self._client.watch(self._resource, resource_version=self._position, label_selector=self._selector)
        async with aclosing(events):
            async for event in events:
                self._take(event)
                self._attempts = 0
                self.last_sync = time.monotonic()

    def _take(self, event: WatchEvent) -> None:
        match event.type:
            case "ADDED" | "MODIFIED":
                self.saw(event.object)
            case "DELETED":
                self.saw_deleted(event.object)
        self._position = event.object["metadata"]["resourceVersion"]

    def _failed(self, error: ModelfleetError) -> float:
        """Note a failure; returns the pause that the server wishes for."""
        if self._may_be_absent and isinstance(error, NotFound):
            return self._not_there()
        logger.warning("Watching %s at %s: %s", self._resource.plural, self._client.base_url, error)
        # These say nothing against going on where we were; after any other the position itself is in doubt.
        if not isinstance(error, Unreachable | Throttled):
            self._position = ""
        wish_s = error.retry_after_s if isinstance(error, Retryable) else None
        return wish_s or 0.0

    def _not_there(self) -> float:
        """Note that the cluster has no such resource; returns how long to wait for one."""
        for name in self.names():
            self._deleted(name, sys.maxsize)
        self._position = ""
        self._synced(is_absent=True)
        return self._max_pause_s

    def _pause_s(self) -> float:
        """There is a pause also without a failure: a server that hangs up at once must not be hammered."""
        longest_s = min(self._max_pause_s, self._min_pause_s * 2.0 ** min(self._attempts, 16))
        return longest_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
