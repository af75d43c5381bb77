"""Asking pods what their servers have counted, by way of the API server: the only network path that is sure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from modelfleet.core.counters import Counters, read_counters
from modelfleet.core.diagnosis import is_ready
from modelfleet.core.errors import ModelfleetError, NotFound
from modelfleet.core.manifest import Manifest
from modelfleet.kube.client import KubeClient

logger = logging.getLogger(__name__)

PORT = 5000
PATH = "/metrics"
AT_ONCE = 8


async def measure(
    client: KubeClient, pods: Iterable[Manifest], slower_than_s: float | None
) -> dict[str, Counters] | None:
    """Return the counters of the ready pods by uid, or None where any of them does not tell.

    All or nothing: the pod that cannot be asked may be the one that fails. A pod that is gone by now is no such
    case; it counts nothing anywhere.
    """
    asking = _Asking(client, slower_than_s)
    failure: BaseException | None = None
    try:
        async with asyncio.TaskGroup() as group:
            for pod in filter(is_ready, pods):
                group.create_task(asking.ask(pod))
    except* (ModelfleetError, ValueError) as failures:
        failure = failures.exceptions[0]
    if failure is None:
        return asking.found
    logger.info("What the servers have counted is not known: %s", failure)
    return None


class _Asking:
    """Questions to pods, a few at a time, and what is ``found`` by them."""

    def __init__(self, client: KubeClient, slower_than_s: float | None) -> None:
        self.found: dict[str, Counters] = {}
        self._client = client
        self._slower_than_s = slower_than_s
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def ask(self, pod: Manifest) -> None:
        metadata = pod["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        try:
            async with self._slots:
                text = await self._client.pod_text(namespace, name, PORT, PATH)
        except NotFound:
            logger.debug("The pod %s/%s is gone.", namespace, name)
            return
        try:
            # In a thread, for ten models take 20 ms in which nothing else would happen.
            self.found[metadata["uid"]] = await asyncio.to_thread(read_counters, text, self._slower_than_s)
        except ValueError as error:
            raise ValueError(f"Pod {namespace}/{name}: {error}") from error
