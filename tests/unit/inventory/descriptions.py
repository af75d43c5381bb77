"""Descriptions of clusters as other tools write them, to be changed where a test wants another."""

from __future__ import annotations

import base64
import json
from typing import Any

import trustme
import yaml

AUTHORITY = trustme.CA()
CERTIFICATE = AUTHORITY.issue_cert("client.example")
CA_PEM = AUTHORITY.cert_pem.bytes()
CERT_PEM = CERTIFICATE.cert_chain_pems[0].bytes()
KEY_PEM = CERTIFICATE.private_key_pem.bytes()

SERVER = "https://west.example:6443"
TOKEN = "planted-token"
CLIENT = "22222222-2222-2222-2222-222222222222"
TENANT = "11111111-1111-1111-1111-111111111111"
AKS = "6dae42f8-4368-4678-94ff-3960e28e3630"
REGION: dict[str, Any] = {"topology.kubernetes.io/region": "westeurope"}


def b64(content: bytes | str) -> str:
    return base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()


CA, CERT, KEY = b64(CA_PEM), b64(CERT_PEM), b64(KEY_PEM)
TLS = {"caData": CA}


def argocd_secret(
    config: object = None,
    *,
    name: str = "west",
    server: str = SERVER,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    raw: bytes | None = None,
) -> dict[str, Any]:
    """A Secret of Argo CD; `raw` is written as the configuration as it is."""
    given = {"bearerToken": TOKEN, "tlsClientConfig": TLS} if config is None else config
    data = {"name": b64(name), "server": b64(server), "config": b64(json.dumps(given) if raw is None else raw)}
    metadata = {"namespace": "argocd", "name": "cluster-west", "labels": labels or {}}
    return {"metadata": {**metadata, "annotations": annotations or {}}, "data": data}


def kubeconfig(user: object = None, cluster: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A kubeconfig with one context; None removes a field of the cluster."""
    way = {"server": SERVER, "certificate-authority-data": CA, **(cluster or {})}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "admin@west",
        "clusters": [{"name": "west", "cluster": {key: value for key, value in way.items() if value is not None}}],
        "users": [{"name": "admin", "user": {"token": TOKEN} if user is None else user}],
        "contexts": [{"name": "admin@west", "context": {"cluster": "west", "user": "admin"}}],
        **changes,
    }


def cluster_api_secret(config: object = None, *, raw: bytes | None = None, **labels: str) -> dict[str, Any]:
    """A Secret of Cluster API; `raw` is written as the kubeconfig as it is."""
    text = yaml.safe_dump(kubeconfig() if config is None else config) if raw is None else raw
    metadata = {"namespace": "clusters", "name": "west-kubeconfig"}
    named = {"cluster.x-k8s.io/cluster-name": "west", **labels}
    return {
        "type": "cluster.x-k8s.io/secret",
        "metadata": {**metadata, "labels": named},
        "data": {"value": b64(text)},
    }


def cluster_profile(
    cluster: dict[str, Any] | None = None,
    *,
    provider: str = "fleet",
    field: str = "accessProviders",
    location: str = "",
    **labels: str,
) -> dict[str, Any]:
    """A ClusterProfile with one access provider."""
    way = {"server": SERVER, "certificate-authority-data": CA, **(cluster or {})}
    properties = [{"name": "location", "value": location}] if location else []
    return {
        "metadata": {"namespace": "fleet", "name": "west", "labels": labels},
        "status": {field: [{"name": provider, "cluster": way}], "properties": properties},
    }
