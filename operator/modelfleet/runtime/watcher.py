"""kopf, used for what it does best: watching the ModelDeployments, with all its care for broken streams.

Its change handlers, timers and indexes are left alone: they write annotations, act on edges and do not
carry a fleet (docs/adr/0002-kopf-watches-we-reconcile.md). One event handler tells the cache; the
reconciler does the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import kopf
from kopf._core.engines.peering import Identity  # a plain string by another name; kopf does not export it

from modelfleet.core import names
from modelfleet.kube.auth import connection
from modelfleet.reconcile.world import World
from modelfleet.runtime.settings import Settings

LOGIN_EXPIRES_AFTER = timedelta(minutes=10)


async def watch(world: World, settings: Settings, stop: asyncio.Event, end: Callable[[], None]) -> None:
    """Tell the world of every change of a ModelDeployment until told to stop; raises when kopf gives up.

    ``end`` is called when kopf begins to stop, which a signal makes it do by itself: it waits five seconds
    for every task that still runs, those of others included.
    """
    await kopf.operator(
        registry=_registry(world, settings, end),
        settings=_kopf_settings(),
        identity=Identity(settings.pod_name),  # kopf would look for a user name, which a container's user lacks
        standalone=True,
        clusterwide=True,
        stop_flag=stop,
    )


def _registry(world: World, settings: Settings, end: Callable[[], None]) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)
    async def observe(event: kopf.RawEvent, **_: Any) -> None:
        body = dict(event["object"])
        if event["type"] == "DELETED":
            world.owners.saw_deleted(body)
        else:
            world.owners.saw(body)

    @kopf.on.login(registry=registry)
    async def log_in(**_: Any) -> kopf.ConnectionInfo:
        return await _connection_info(settings)

    @kopf.on.cleanup(registry=registry)
    async def clean_up(**_: Any) -> None:
        end()

    return registry


async def _connection_info(settings: Settings) -> kopf.ConnectionInfo:
    """Return the credentials with an expiry that differs each time.

    kopf remembers credentials that once got a 401 as bad and refuses equal ones, so a single passing
    401 would end the operator (kopf #1158, seen on AKS).
    """
    found = await connection(settings.kubeconfig, settings.context)
    return kopf.ConnectionInfo(
        server=found.server,
        ca_path=found.ca_path,
        insecure=found.insecure,
        scheme=found.scheme,
        token=found.token,
        certificate_path=found.certificate_path,
        private_key_path=found.private_key_path,
        proxy_url=found.proxy_url,
        expiration=datetime.now(UTC).replace(tzinfo=None) + LOGIN_EXPIRES_AFTER,
    )


def _kopf_settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False  # our own recorder counts repeats instead of adding objects
    settings.scanning.disabled = True  # the CRD is installed before the operator
    settings.queueing.idle_timeout = 0.5  # thousands of idle workers go away ten times sooner
    settings.networking.request_timeout = 30
    settings.watching.chunk_size = 500
    settings.persistence.finalizer = f"{names.GROUP}/unused"  # never kopf's shared one
    settings.process.ultimate_exiting_timeout = 30
    return settings
