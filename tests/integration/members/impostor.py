"""A server with TLS that answers whatever it is told: for faults that a real API server cannot be made to show."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from tests.integration.kube.gate import Gate
from tests.unit.inventory.descriptions import AUTHORITY
from tests.unit.kube.faulty import Answer, hangs, says


@asynccontextmanager
async def impostor(gate: Gate, answer: Answer) -> AsyncIterator[None]:
    """Behind the gate there is something else for a while."""
    runner = web.ServerRunner(web.Server(answer, handler_cancellation=True), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=_serving()).start()
    meant = gate._target
    await _lead(gate, runner.addresses[0])
    try:
        yield
    finally:
        await _lead(gate, meant)
        await runner.cleanup()


async def _lead(gate: Gate, target: tuple[str, int]) -> None:
    await gate.shut()
    gate._target = target
    await gate.open()


def _serving() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def empty_cluster(request: web.BaseRequest) -> web.StreamResponse:
    """A cluster with nothing in it that lets everybody in."""
    if request.path.endswith("/kube-system"):
        return await says(200, {"metadata": {"uid": "uid-empty"}})(request)
    if "watch" in request.query:
        return await hangs(request)
    return await says(200, {"kind": "List", "metadata": {"resourceVersion": "1"}, "items": []})(request)
