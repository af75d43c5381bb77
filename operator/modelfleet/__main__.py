"""The operator's process: ``python -m modelfleet``."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import sys
import uuid

import kopf

from modelfleet.kube.auth import connect
from modelfleet.kube.lease import LeaseLost, lead
from modelfleet.runtime.metrics import Metrics, serve
from modelfleet.runtime.operate import operate
from modelfleet.runtime.settings import Settings, SettingsError, read_settings

LEASE = "modelfleet-operator"
QUIET = {"kopf.objects": logging.WARNING, "azure": logging.ERROR, "msal": logging.ERROR}
"""Loggers with a line for every event of every object, for every request, or for what our errors say better."""


def main() -> None:
    """Run until SIGTERM; ends with 0 then, with 2 on senseless settings, and with 1 when the lead was lost."""
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        sys.exit(f"modelfleet: {error}")
    kopf.configure(log_format=kopf.LogFormat.JSON)
    logging.getLogger().setLevel(settings.log_level)
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)
    try:
        asyncio.run(_run(settings))
    except LeaseLost as error:
        logging.getLogger(__name__).error("%s", error)
        os._exit(1)  # whatever still runs here must not act any more


async def _run(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    metrics = Metrics()
    runner = await serve(metrics, settings.port)
    try:
        async with await connect(settings.kubeconfig, settings.context) as client:
            await lead(
                client,
                namespace=settings.namespace,
                name=LEASE,
                identity=f"{settings.pod_name}_{uuid.uuid4()}",
                payload=functools.partial(operate, client, settings, metrics, stop),
                stop=stop,
            )
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    main()
