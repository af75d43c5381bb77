"""What pods have counted, by way of the API server: their address is this machine, where a real server runs."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import numpy as np
import pytest
import yaml

from modelfleet.core.counters import Counters
from modelfleet.core.errors import Forbidden, NotFound, Unavailable
from modelfleet.kube.auth import connect
from modelfleet.kube.client import KubeClient
from modelfleet.reconcile.measure import measure
from tests.support import onnx_models
from tests.support.eventually import eventually
from tests.support.grpc_client import client_of, raw_request
from tests.support.handlers import script
from tests.support.kubectl import Kubectl
from tests.support.kubelet import READY, patch_status
from tests.support.onnx_models import saved
from tests.support.ports import free_port
from tests.support.server_process import ServerProcess, serving

ASKS_THREE_TIMES = "return [models['lookup'].run({'index': [0]})['row'].tolist() for _ in range(3)]"
Pod = dict[str, Any]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerProcess]:
    """A server with a model that fails for indexes from 3 on, reached at the port that pods have."""
    model = saved(onnx_models.lookup(rows=3), tmp_path / "lookup.onnx")
    with serving(f"--model=lookup={model}", "--host=0.0.0.0") as process:
        monkeypatch.setattr("modelfleet.reconcile.measure.PORT", urlsplit(process.url).port)
        yield process


@pytest.fixture
def make_pod(kube: KubeClient, kubectl: Kubectl) -> Callable[[str], Pod]:
    """Makes ready pods whose address is this machine, as the API server reaches it."""
    address = urlsplit(kube.base_url)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        way.connect((address.hostname, address.port))
        here = way.getsockname()[0]

    def make(name: str) -> Pod:
        # The namespace's ServiceAccount, without which there can be no pod, comes a moment after the namespace.
        eventually(lambda: kubectl.run("run", name, "--image=server:1").returncode == 0)
        patch_status(kubectl, {"metadata": {"name": name}}, {**READY, "podIP": here, "podIPs": [{"ip": here}]})
        found: Pod = yaml.safe_load(kubectl("get", "pod", name, "-o", "yaml"))
        return found

    return make


@pytest.fixture
def nobody(control_plane: Path, kubectl: Kubectl, tmp_path: Path) -> Path:
    """The kubeconfig of somebody without any rights."""
    config = yaml.safe_load(control_plane.read_text())
    create = partial(kubectl.run, "create", "token", "default")
    token = eventually(lambda: create().stdout).strip()
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    return tmp_path / "kubeconfig"


async def counted(kube: KubeClient, pod: Pod) -> Counters | None:
    found = await measure(kube, [pod], None)
    return found[pod["metadata"]["uid"]] if found else None


async def test_every_protocol_is_counted_and_clients_mistakes_are_not(
    kube: KubeClient, make_pod: Callable[[str], Pod], server: ServerProcess
) -> None:
    pod = make_pod("a")
    assert await counted(kube, pod) == Counters(0, 0, 0)  # the warm-up is no request
    body = {"inputs": [{"name": "index", "shape": [1], "datatype": "INT64", "data": [1]}]}
    answers = [server.score([index]) for index in (0, 7, "no index")]
    answers += [server.score([0], model_name="other")]
    answers += [server.client.post("/v2/models/lookup/infer", json=body)]
    assert [answer.status_code for answer in answers] == [200, 500, 400, 404, 200]
    with client_of(server) as client:
        client.infer(raw_request("lookup", index=("INT64", np.array([0]))))
        code, _ = client.refusal(raw_request("lookup", index=("INT64", np.array([7]))))
        assert code is grpc.StatusCode.INTERNAL
        code, _ = client.refusal(raw_request("lookup", index=("FP32", np.array([7], np.float32))))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert await counted(kube, pod) == Counters(requests=5, errors=2, slow=0)


async def test_what_a_handler_asks_its_models_is_part_of_one_request(
    kube: KubeClient, make_pod: Callable[[str], Pod], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = script(tmp_path, ASKS_THREE_TIMES, before="from modelserver.handlers import models")
    model = saved(onnx_models.lookup(rows=3), tmp_path / "lookup.onnx")
    with serving("--handler", str(path), f"--model=lookup={model}", "--host=0.0.0.0") as server:
        monkeypatch.setattr("modelfleet.reconcile.measure.PORT", urlsplit(server.url).port)
        assert server.client.post("/score").is_success, server.log
        assert await counted(kube, make_pod("a")) == Counters(requests=1, errors=0, slow=0)


async def test_a_pod_that_is_gone_is_left_out_but_one_that_refuses_leaves_all_unknown(
    kube: KubeClient,
    kubectl: Kubectl,
    make_pod: Callable[[str], Pod],
    server: ServerProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, other = make_pod("one"), make_pod("other")
    pods = [one, other]
    assert (await measure(kube, pods, 0.5) or {}).keys() == {pod["metadata"]["uid"] for pod in pods}
    kubectl("delete", "pod", "other", "--grace-period=0", "--force")
    assert await measure(kube, pods, 0.5) == {one["metadata"]["uid"]: Counters(0, 0, 0)}
    server.process.kill()
    server.process.wait()
    assert await measure(kube, pods, 0.5) is None


async def test_what_the_pod_says_is_told_from_what_the_api_server_says(
    kube: KubeClient, namespace: str, make_pod: Callable[[str], Pod], server: ServerProcess
) -> None:
    make_pod("a")
    port = urlsplit(server.url).port or 0
    assert "modelserver_ready 1.0" in await kube.pod_text(namespace, "a", port, "/metrics")
    with pytest.raises(Unavailable, match="the pod answered HTTP 404"):
        await kube.pod_text(namespace, "a", port, "/nothing")
    with pytest.raises(Unavailable, match="connection refused"):
        await kube.pod_text(namespace, "a", free_port(), "/metrics")
    with pytest.raises(NotFound, match='pods "b" not found'):
        await kube.pod_text(namespace, "b", port, "/metrics")


async def test_who_may_not_ask_pods_is_refused_by_the_api_server(
    namespace: str, make_pod: Callable[[str], Pod], nobody: Path
) -> None:
    make_pod("a")
    async with await connect(nobody, None) as client:
        with pytest.raises(Forbidden, match='cannot get resource "pods/proxy"'):
            await client.pod_text(namespace, "a", 5000, "/metrics")
