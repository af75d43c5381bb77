"""The leader's work: caches, queue, workers, resync and kopf's watch, which live and die together."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from modelfleet.aml.azure import Azure
from modelfleet.core import names
from modelfleet.core.children import Defaults
from modelfleet.core.errors import ModelfleetError
from modelfleet.kube.client import KubeClient
from modelfleet.kube.events import Recorder
from modelfleet.kube.member import identity
from modelfleet.reconcile.members import Members
from modelfleet.reconcile.queue import Queue
from modelfleet.reconcile.reconciler import Reconciler
from modelfleet.reconcile.regions import Regions
from modelfleet.reconcile.report import Reporter
from modelfleet.reconcile.world import Key, World
from modelfleet.runtime.metrics import Metrics
from modelfleet.runtime.settings import Settings
from modelfleet.runtime.watcher import watch

logger = logging.getLogger(__name__)

CONTROLLER = "modelfleet.dev/operator"
RESYNC_S = 600.0


async def operate(client: KubeClient, settings: Settings, metrics: Metrics, stop: asyncio.Event) -> None:
    """Reconcile ModelDeployments until told to stop; any part that dies ends all of them."""
    queue: Queue[Key] = Queue()
    world = World(client, queue.add, selector=names.LOCAL_SELECTOR)
    hub = await identity(client) if settings.sources.any else ""

    def concerned() -> set[Key]:
        return {*world.owners.names(), *members.served()}

    def members_moved() -> None:
        for key in concerned():
            queue.add(key)

    members = Members(client, settings.sources, names.hub_selector(hub), queue.add, members_moved, _now)
    reporter = Reporter(world, Recorder(client, controller=CONTROLLER, instance=settings.pod_name))
    azure = Azure(queue.add, settings.poll_s)
    defaults = Defaults(settings.server_image, settings.identity)
    settle = timedelta(seconds=settings.settle_s)
    regions = Regions(world, members, hub, azure, reporter, defaults, _now, metrics.moved, settle)
    reconciler = Reconciler(world, azure, reporter, defaults, _now, metrics.moved, regions)
    metrics.watch(world, queue, members)
    metrics.leading.set(1)
    async with asyncio.TaskGroup() as group:
        # All tasks are made before kopf starts: when it ends, it cancels every task that is younger than itself.
        background = [
            group.create_task(world.run()),
            group.create_task(members.run()),
            group.create_task(_work(world, queue, metrics, reconciler, settings.workers)),
            group.create_task(_resync(world, queue, concerned)),
        ]

        def end() -> None:
            stop.set()
            azure.close()
            for task in background:
                task.cancel()

        await watch(world, settings, stop, end)


def _now() -> datetime:
    return datetime.now(UTC)


async def _work(world: World, queue: Queue[Key], metrics: Metrics, reconciler: Reconciler, workers: int) -> None:
    """Reconcile only from complete caches: an object not listed yet looks like one that is missing."""
    await world.synced()
    await queue.run(metrics.timed(reconciler.reconcile), workers)


async def _resync(world: World, queue: Queue[Key], concerned: Callable[[], set[Key]]) -> None:
    """Reconcile everything from time to time, spread out, against whatever no watch has told of."""
    while True:
        await asyncio.sleep(RESYNC_S)
        try:
            await world.relist()
        except ModelfleetError as error:
            logger.warning("The ModelDeployments cannot be listed now: %s", error)
            continue
        for key in concerned():
            queue.add_after(key, random.uniform(0, RESYNC_S))  # noqa: S311  jitter
