"""Clients of the real API server: straight, and through a gate that can be shut."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import yaml

from modelfleet.core.errors import NotFound, Throttled
from modelfleet.kube.auth import connect
from modelfleet.kube.client import KubeClient, Resource
from modelfleet.kube.wire import Request
from tests.integration.kube.gate import Gate, gate_to

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture
async def kube(control_plane: Path) -> AsyncIterator[KubeClient]:
    async with await connect(control_plane, None) as client:
        yield client


@pytest.fixture
async def gate(kube: KubeClient) -> AsyncIterator[Gate]:
    address = urlsplit(kube.base_url)
    async with gate_to(address.hostname or "", address.port or 443) as gate:
        yield gate


@pytest.fixture
async def gated(kube: KubeClient, control_plane: Path, gate: Gate, tmp_path: Path) -> AsyncIterator[KubeClient]:
    """A client whose connections all go through the gate."""
    host = urlsplit(kube.base_url).hostname or ""
    async with await connect(through(gate, control_plane, tmp_path, server_name=host), None) as client:
        yield client


def through(gate: Gate, kubeconfig: Path, folder: Path, *, server_name: str) -> Path:
    """A kubeconfig for the same cluster that goes through the gate and expects that name in the certificate."""
    config = yaml.safe_load(kubeconfig.read_text())
    way = {"server": f"https://127.0.0.1:{gate.port}", "tls-server-name": server_name}
    config["clusters"][0]["cluster"] |= way
    (folder / "gated").write_text(yaml.safe_dump(config))
    return folder / "gated"


@pytest.fixture
async def kind(kube: KubeClient) -> AsyncIterator[Resource]:
    """A resource type that the API server began to serve just now: of anything before it remembers nothing."""
    resource = unknown_kind()
    await define(kube, resource)
    yield resource
    await undefine(kube, resource)


def unknown_kind() -> Resource:
    """A resource type that the API server does not serve."""
    name = f"thing{uuid4().hex[:8]}"
    return Resource("test.example/v1", name.capitalize(), f"{name}s")


async def define(kube: KubeClient, resource: Resource) -> None:
    """Have the API server serve it."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.test.example"},
        "spec": {
            "group": "test.example",
            "scope": "Namespaced",
            "names": {"kind": resource.kind, "plural": resource.plural},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
    await kube._send(Request("POST", DEFINITIONS, body=definition))
    async with asyncio.timeout(15):
        while not await is_served(kube, resource):
            await asyncio.sleep(0.02)


async def undefine(kube: KubeClient, resource: Resource) -> None:
    """Have the API server forget it, with all objects."""
    await kube._send(Request("DELETE", f"{DEFINITIONS}/{resource.plural}.test.example"))


async def is_served(kube: KubeClient, resource: Resource) -> bool:
    try:
        await kube.list(resource)
    except (NotFound, Throttled):
        return False
    return True
