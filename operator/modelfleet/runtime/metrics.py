"""The operator's own metrics, and the small HTTP server that shows them beside the probes."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from modelfleet.core.errors import ModelfleetError
from modelfleet.core.inventory.site import State
from modelfleet.core.memory import Move
from modelfleet.reconcile.members import Members
from modelfleet.reconcile.queue import Queue
from modelfleet.reconcile.world import Key, World


class Metrics:
    """Every metric of one operator process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.leading = Gauge("modelfleet_leader", "1 while this process leads.", registry=self.registry)
        self._reconcile = Histogram(
            "modelfleet_reconcile_duration_seconds",
            "Time of one reconcile, by what became of it.",
            ["result"],
            registry=self.registry,
        )
        self._transitions = Counter(
            "modelfleet_rollout_transitions_total",
            "Transitions of rollouts, by the phase or result that they led to.",
            ["to"],
            registry=self.registry,
        )
        self._rollouts = Histogram(
            "modelfleet_rollout_duration_seconds",
            "Time of rollouts that have ended, by their result.",
            ["result"],
            buckets=(60, 300, 900, 1800, 3600, 3 * 3600, 12 * 3600, 24 * 3600),
            registry=self.registry,
        )

    def moved(self, move: Move) -> None:
        """Count a transition of a rollout, and how long it took where it has ended."""
        self._transitions.labels(move.to).inc()
        if move.took is not None:
            self._rollouts.labels(move.to).observe(move.took.total_seconds())

    def timed(
        self, reconcile: Callable[[Key], Awaitable[float | None]]
    ) -> Callable[[Key], Awaitable[float | None]]:
        """Return the reconcile function with its duration observed."""

        async def measured(key: Key) -> float | None:
            start, result = time.perf_counter(), "Error"
            try:
                again_s = await reconcile(key)
                result = "Success"
            except ModelfleetError as error:
                result = type(error).__name__
                raise
            finally:
                self._reconcile.labels(result).observe(time.perf_counter() - start)
            return again_s

        return measured

    def watch(self, world: World, queue: Queue[Key], members: Members) -> None:
        """Show the state of the caches, the queue and the member clusters from now on."""
        self.registry.register(_State(world, queue, members))


class _State(Collector):
    """Gauges that are read off at the moment of a scrape."""

    def __init__(self, world: World, queue: Queue[Key], members: Members) -> None:
        self._world = world
        self._queue = queue
        self._members = members

    def describe(self) -> Iterator[Metric]:
        return iter(())

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "modelfleet_queue_depth", "ModelDeployments that wait for a worker.", value=len(self._queue)
        )
        phases = GaugeMetricFamily("modelfleet_modeldeployments", "ModelDeployments by phase.", labels=["phase"])
        for phase, count in self._world.owners.counts().items():
            phases.add_metric([str(phase)], count)
        yield phases
        silence = GaugeMetricFamily(
            "modelfleet_watch_silence_seconds",
            "Time since the API server last answered the quietest watch.",
            value=time.monotonic() - min(reflector.last_sync for reflector in self._world.reflectors),
        )
        yield silence
        if self._members.is_configured:
            yield from self._of_members()

    def _of_members(self) -> Iterator[Metric]:
        reachable = GaugeMetricFamily(
            "modelfleet_member_reachable", "1 while a member cluster answers.", labels=["cluster", "region"]
        )
        for site in self._members.sites():
            reachable.add_metric([site.name, site.region], site.state is State.REACHABLE)
        yield reachable
        yield CounterMetricFamily(
            "modelfleet_inventory_failures",
            "Readings of the descriptions of member clusters that failed.",
            value=self._members.failed_readings,
        )


async def serve(metrics: Metrics, port: int) -> web.AppRunner:
    """Serve /healthz, /readyz and /metrics until the runner is cleaned up.

    Ready means that the process is up, never that it leads: a standby that is not ready would block the
    rollout of the operator's own Deployment.
    """

    async def alive(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def show(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), content_type="text/plain", charset="utf-8")

    app = web.Application()
    app.add_routes([web.get("/healthz", alive), web.get("/readyz", alive), web.get("/metrics", show)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, port=port).start()
    return runner
