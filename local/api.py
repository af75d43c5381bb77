"""Just enough of a Kubernetes client to set a cluster up."""

import http.client
import json
import ssl
from contextlib import closing
from typing import Any

from local.cluster import Cluster
from local.shell import Failure


def call(cluster: Cluster, method: str, path: str, body: str | None = None) -> tuple[int, str]:
    """Sends one request as the administrator; status 0 means that nobody answered."""
    folder = cluster.data / "pki"
    trust = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    trust.load_cert_chain(folder / "admin.crt", folder / "admin.key")
    with closing(http.client.HTTPSConnection(cluster.node_ip, 6443, timeout=10, context=trust)) as connection:
        try:
            content = {"Content-Type": "application/apply-patch+yaml"}
            connection.request(method, path, body.encode() if body else None, content)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError as error:
            return 0, str(error)


def is_ready(cluster: Cluster) -> bool:
    """Whether the API server says that it is ready."""
    return call(cluster, "GET", "/readyz")[0] == 200


def exists(cluster: Cluster, path: str) -> bool:
    """Whether there is an object at a path."""
    return call(cluster, "GET", path)[0] == 200


def apply(cluster: Cluster, path: str, manifest: dict[str, Any]) -> None:
    """Creates or updates an object in the collection at a path, by server-side apply."""
    apply_text(cluster, f"{path}/{manifest['metadata']['name']}", json.dumps(manifest))


def apply_text(cluster: Cluster, path: str, text: str) -> None:
    """Creates or updates the object at a path, by server-side apply of YAML."""
    status, answer = call(cluster, "PATCH", f"{path}?fieldManager=local&force=true", text)
    if status not in {200, 201}:
        raise Failure(f"applying {path}: {status} {answer}")


def node_is_ready(cluster: Cluster) -> bool:
    """Whether the cluster's one node takes pods."""
    status, answer = call(cluster, "GET", f"/api/v1/nodes/{cluster.name}")
    conditions = json.loads(answer)["status"].get("conditions", []) if status == 200 else []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
