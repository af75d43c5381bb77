"""An API server that misbehaves on command, for the faults that a real one cannot be made to show."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class FaultyServer:
    """Answers each request with the next of the given answers; the last one is repeated."""

    def __init__(self, answers: list[Answer]) -> None:
        self.url = ""
        self.requests: list[web.BaseRequest] = []
        self._answers = answers

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return await answer(request)


@asynccontextmanager
async def faulty(*answers: Answer) -> AsyncIterator[FaultyServer]:
    """A server on a port of its own."""
    server = FaultyServer(list(answers))
    runner = web.ServerRunner(web.Server(server.handle, handler_cancellation=True), shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def says(status: int, body: object = None, **headers: str) -> Answer:
    """One complete answer; a dict is sent as JSON, a string as it is."""

    async def answer(_: web.BaseRequest) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body or {})
        return web.Response(status=status, text=text, headers=headers)

    return answer


def streams(*events: dict[str, Any] | str, then: str = "end") -> Answer:
    """The lines of a watch, and then: `end` it, `break` the connection, or `hang`."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for event in events:
            line = event if isinstance(event, str) else json.dumps(event) + "\n"
            await response.write(line.encode())
        if then == "hang":
            await asyncio.get_running_loop().create_future()
        if then == "break" and request.transport is not None:
            request.transport.abort()
        return response

    return answer


async def hangs(_: web.BaseRequest) -> web.StreamResponse:
    """No answer at all."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError


def listing(version: int, *items: dict[str, Any]) -> Answer:
    """A complete list of ConfigMaps."""
    metadata = {"resourceVersion": str(version)}
    return says(200, {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": metadata, "items": list(items)})


def config_map(name: str, version: int, **metadata: object) -> dict[str, Any]:
    """An object as the server would show it."""
    named = {"namespace": "ns", "name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named | metadata}


def gone() -> dict[str, Any]:
    """The event with which a server says that it has forgotten the version asked for."""
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (9)"}
    return {"type": "ERROR", "object": status}
