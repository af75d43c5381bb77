"""The life of gRPC's port: when it opens and is ready, that it can be left out, keys, and SIGTERM under load."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest

from modelserver.grpc import inference_pb2 as messages
from modelserver.grpc.health_pb2 import HealthCheckRequest, HealthCheckResponse
from modelserver.grpc.methods import HEALTH, INFERENCE
from tests.support import onnx_models
from tests.support.grpc_client import Client, client_of, raw_request
from tests.support.onnx_models import saved
from tests.support.server_process import SERVER, ServerProcess, serving
from tests.support.until import until, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FLOATS = ("FP32", np.array([[1.5, -2.0]], np.float32))
NOBODY_LISTENS = "failed to connect to all addresses"


@pytest.fixture
def model(tmp_path: Path) -> str:
    return f"--model=m={saved(onnx_models.two_outputs(), tmp_path / 'm.onnx')}"


@pytest.fixture
def slow(tmp_path: Path) -> str:
    return f"--model=slow={saved(onnx_models.slow(), tmp_path / 'slow.onnx')}"


def health(client: Client) -> int:
    return client.call("Check", HealthCheckRequest(), HealthCheckResponse, HEALTH, wait_for_ready=True).status


# Starting


def test_it_is_alive_while_models_load_and_ready_afterwards(tmp_path: Path) -> None:
    path = saved(onnx_models.long_to_load(), tmp_path / "m.onnx")
    with serving(f"--model=m={path}", until_ready=False) as server, client_of(server) as client:
        live = client.call(
            "ServerLive", messages.ServerLiveRequest(), messages.ServerLiveResponse, wait_for_ready=True
        )
        assert live.live
        assert health(client) == HealthCheckResponse.NOT_SERVING
        code, sentence = client.refusal(raw_request("m", x=("FP32", np.ones(1, np.float32))))
        assert (code, "loading" in sentence) == (grpc.StatusCode.UNAVAILABLE, True)
        wait_until(lambda: server.logged("ready"), seconds=60)
        assert health(client) == HealthCheckResponse.SERVING


def test_it_can_be_left_out(model: str) -> None:
    with serving(model, "--grpc-port=off") as server:
        assert "grpc_port" not in server.event("listening")
        loaded = subprocess.run(
            ["grep", "-c", "ngh2", f"/proc/{server.process.pid}/maps"], capture_output=True, check=False
        )
        assert int(loaded.stdout) == 0


def test_a_second_server_on_the_same_port_says_so_and_ends(model: str) -> None:
    with serving(model) as server:
        port = server.event("listening")["grpc_port"]
        command = [
            sys.executable,
            "-m",
            "modelserver",
            model,
            "--host=127.0.0.1",
            "--port=0",
            f"--grpc-port={port}",
        ]
        environment = {**os.environ, "PYTHONPATH": str(SERVER)}
        second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert str(port) in second.stdout
    assert "in use" in second.stdout


# Keys


def test_only_who_has_a_key_may_infer_but_everybody_may_probe(model: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("secret-key-of-some-length\n")
    with serving(model, "--api-keys", str(tmp_path / "keys")) as server, client_of(server) as client:
        request = raw_request("m", x=FLOATS)
        assert client.refusal(request)[0] == grpc.StatusCode.UNAUTHENTICATED
        assert client.refusal(request, metadata=[("api-key", "wrong")])[0] == grpc.StatusCode.UNAUTHENTICATED
        assert client.infer(request, metadata=[("authorization", "Bearer secret-key-of-some-length")]).outputs
        assert health(client) == HealthCheckResponse.SERVING
        index = messages.RepositoryIndexRequest()
        with pytest.raises(grpc.RpcError) as refusal:
            client.call("RepositoryIndex", index, messages.RepositoryIndexResponse)
        assert refusal.value.code() == grpc.StatusCode.UNAUTHENTICATED


# Draining


@dataclass
class Load:
    """Clients that call one after the other, until nobody listens any more."""

    address: str
    outcomes: Counter[str] = field(default_factory=Counter)

    async def client(self, pause_s: float) -> None:
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(self.address, options) as channel:
            infer = channel.unary_unary(
                f"/{INFERENCE}/ModelInfer",
                messages.ModelInferRequest.SerializeToString,
                messages.ModelInferResponse.FromString,
            )
            await asyncio.gather(*(self._calls(infer, pause_s) for _ in range(4)))

    async def _calls(self, infer: Any, pause_s: float) -> None:
        request = raw_request("slow", turns=("INT64", np.array([5])))
        while True:
            try:
                await infer(request, timeout=30)
            except grpc.aio.AioRpcError as error:
                details = error.details() or ""
                self.outcomes["refused" if details.startswith(NOBODY_LISTENS) else details] += 1
                return
            self.outcomes["answered"] += 1
            await asyncio.sleep(pause_s)


@pytest.fixture
def draining(slow: str) -> Iterator[ServerProcess]:
    with serving(slow) as process:
        yield process


async def test_no_call_is_lost_while_it_drains_under_load(draining: ServerProcess) -> None:
    load = Load(f"127.0.0.1:{draining.event('listening')['grpc_port']}")
    clients = [asyncio.create_task(load.client(pause_s)) for pause_s in (0, 0, 0.01, 0.3)]
    await until(lambda: load.outcomes["answered"] > 50)
    draining.process.terminate()
    before = load.outcomes["answered"]
    await asyncio.gather(*clients)
    assert load.outcomes.keys() == {"answered", "refused"}
    assert load.outcomes["refused"] == 16
    assert load.outcomes["answered"] > before + 100
    assert await asyncio.to_thread(draining.process.wait, 10) == 0
    assert draining.event("stopped")["unanswered_connections"] == 0


def test_it_says_so_while_it_drains_and_answers_all_the_same(draining: ServerProcess) -> None:
    with client_of(draining) as client:
        assert health(client) == HealthCheckResponse.SERVING
        draining.process.terminate()
        wait_until(lambda: draining.logged("draining"))
        assert health(client) == HealthCheckResponse.NOT_SERVING
        ready = client.call("ServerReady", messages.ServerReadyRequest(), messages.ServerReadyResponse)
        assert not ready.ready
        assert client.infer(raw_request("slow", turns=("INT64", np.array([1])))).outputs
    assert draining.process.wait(10) == 0


def test_a_call_that_takes_long_is_finished(draining: ServerProcess) -> None:
    with client_of(draining) as client:
        call = client.inference.future(raw_request("slow", turns=("INT64", np.array([10_000]))), timeout=60)
        wait_until(lambda: draining.metric('modelserver_requests_in_flight{model="slow",version="1"}') == 1)
        draining.process.terminate()
        assert call.result().outputs
    assert draining.process.wait(10) == 0


def test_an_idle_connection_does_not_hold_it_up(draining: ServerProcess) -> None:
    with client_of(draining) as client:
        assert health(client) == HealthCheckResponse.SERVING
        draining.process.terminate()
        assert draining.process.wait(6) == 0
