"""A Gateway for a cluster: the Gateway API's definitions from its Go module, and Traefik beside the control plane.

The Gateway `public` in the namespace `gateways` takes routes from every namespace, at http://NODE_IP:8000.
"""

import json
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from local import api, components, objects, sandbox, venvs
from local.build import HERE
from local.cluster import Cluster
from local.shell import run, say, wait

SOURCE = HERE / "gateway-api"
GROUP = "gateway.networking.k8s.io"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAMESPACE, NAME, CLASS = "gateways", "public", "traefik"
PORT = 8000


def up(cluster: Cluster) -> None:
    """Starts the Gateway, unless it runs."""
    define(cluster)
    if not find(cluster):
        start(cluster)
    wait(f"Traefik (see {components.log(cluster, 'traefik')})", lambda: answers(cluster))
    controller = {"controllerName": "traefik.io/gateway-controller"}
    apply(cluster, "GatewayClass", f"/apis/{GROUP}/v1/gatewayclasses", CLASS, controller)
    objects.apply_namespace(cluster, NAMESPACE)
    listener = {"name": "http", "protocol": "HTTP", "port": PORT, "allowedRoutes": {"namespaces": {"from": "All"}}}
    spec = {"gatewayClassName": CLASS, "listeners": [listener]}
    gateways = f"/apis/{GROUP}/v1/namespaces/{NAMESPACE}/gateways"
    apply(cluster, "Gateway", gateways, NAME, spec)
    wait("the Gateway", lambda: '"reason":"Programmed"' in api.call(cluster, "GET", f"{gateways}/{NAME}")[1])


def define(cluster: Cluster) -> None:
    """Tells the API server what Gateways and routes are."""
    for file in definitions().glob(f"{GROUP}_*.yaml"):
        kind = file.stem.removeprefix(f"{GROUP}_")
        if not kind.startswith("vap_"):  # a policy, which keeps nobody here from a downgrade
            api.apply_text(cluster, f"{DEFINITIONS}/{kind}.{GROUP}", file.read_text())
    routes = f"/apis/{GROUP}/v1/httproutes"
    wait("the Gateway API", lambda: api.exists(cluster, routes))


def definitions() -> Path:
    """The folder of the stable definitions, in the version that go.mod names and go.sum proves."""
    found = run("go", "-C", SOURCE, "mod", "download", "-json", "sigs.k8s.io/gateway-api")
    return Path(json.loads(found)["Dir"]) / "config/crd/standard"


def start(cluster: Cluster) -> None:
    """Starts Traefik with the administrator's rights, and without anything that hides a failed request."""
    program = venvs.python(SOURCE / "requirements.txt").with_name("traefik")
    flags = [
        f"--entrypoints.web.address={cluster.node_ip}:{PORT}",
        "--providers.kubernetesgateway",
        f"--providers.kubernetesgateway.statusaddress.ip={cluster.node_ip}",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    ]
    log, access = components.log(cluster, "traefik"), {"KUBECONFIG": str(cluster.kubeconfig)}
    say(f"{cluster.name}: starting traefik")
    sandbox.start(cluster.name, log, str(program), *flags, env=access)


def down(cluster: Cluster) -> None:
    """Ends the Gateway; its objects stay."""
    if pid := find(cluster):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        wait("the end of Traefik", lambda: not find(cluster), seconds=20)


def find(cluster: Cluster) -> int | None:
    """The process of the cluster's Traefik."""
    return sandbox.find(cluster.name, "traefik")


def answers(cluster: Cluster) -> bool:
    """Whether Traefik takes connections."""
    with suppress(OSError), socket.create_connection((cluster.node_ip, PORT), timeout=1):
        return True
    return False


def apply(cluster: Cluster, kind: str, path: str, name: str, spec: dict[str, Any]) -> None:
    """Makes an object of the Gateway API."""
    manifest = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    api.apply(cluster, path, manifest)
