"""Azure for the operator and the pods of a real cluster, which find it under its real names, through a proxy."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.shell import run
from tests.e2e.conftest import CLUSTER, REPOSITORY, local
from tests.support.azure import cloud
from tests.support.azure.imds import IMDS
from tests.support.azure.registries import Registry
from tests.support.azure.tokens import CLIENT, TENANT
from tests.support.azure.workspaces import Datastore, Model, Workspace
from tests.support.kubectl import Kubectl
from tests.support.modeldeployments import apply
from tests.support.operator import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.secrecy import Planted
    from tests.e2e.witness import Witness
    from tests.support.azure.cloud import Cloud
    from tests.support.modeldeployments import Manifest

SUBSCRIPTION = "33333333-3333-3333-3333-333333333333"
SECRET = "planted-secret-of-the-principal"
POLL_S = 3
TRUSTED = "/etc/azure-ca/ca.pem"
DOCKERFILE = "ARG SERVER\nFROM ${SERVER}\nCOPY ca.pem /etc/azure-ca/ca.pem\n"
OPERATOR = "deployment/modelfleet-operator"
TOKEN_FILE = "/var/run/secrets/azure/tokens/azure-identity-token"
STORAGE = "demo.blob.core.windows.net"
PROXY = "proxy"
"""The Service by which pods know the proxy, and so all of Azure."""


@dataclass(frozen=True)
class Site:
    """A running Azure, and what pods need to find it: an image that trusts it, and variables."""

    cloud: Cloud
    image: str
    variables: dict[str, str]
    planted: Planted

    def spec(self, **spec: Any) -> Manifest:
        """The spec of a ModelDeployment whose pods find this Azure."""
        env = [{"name": name, "value": value} for name, value in self.variables.items()]
        return {"environment": {"image": self.image}, "env": env, **spec}


@pytest.fixture(scope="package")
def site(
    cluster: Path, witness: Witness, models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """An Azure with the sample models, and an operator that knows the way."""
    folder = tmp_path_factory.mktemp("azure")
    server = re.search(r"https://([0-9.]+):", cluster.read_text())
    assert server
    host = re.sub(r"\.2$", ".1", server[1])  # the node is .2 in its network, and this machine .1
    system = Kubectl(cluster, SYSTEM)
    with cloud.running(folder, host) as azure, metadata_service(f"{host}:{azure.imds}"):
        plant(azure, witness.planted)
        azure.lead_through_control(STORAGE)
        put(azure, models)
        found = Site(azure, image_that_trusts(folder / "ca.pem", folder), variables(azure), witness.planted)
        apply(system, *name_of_proxy(host))
        revision = system(
            "get", OPERATOR, "-o", r"jsonpath={.metadata.annotations.deployment\.kubernetes\.io/revision}"
        )
        try:
            lead_operator_to(found, system, folder / "ca.pem")
            yield found
        finally:
            system("rollout", "undo", OPERATOR, f"--to-revision={revision}")
            system("delete", "configmap/azure-ca", f"service/{PROXY}", f"endpointslice/{PROXY}")


def plant(azure: Cloud, planted: Planted) -> None:
    """The secret of the service principal is the only one that there is from the beginning."""
    azure.control.entra.accepts = {planted.plant("the secret of the service principal", SECRET)}
    planted.flowing.append(("what was shown to Microsoft Entra, or given by it", azure.control.entra.seen))


def put(azure: Cloud, models: Path) -> None:
    """The sample models, in a private and in a public container."""
    azure.storage.create_container("models")
    azure.storage.create_container("public", is_public=True)
    for file in sorted(path for path in models.rglob("*") if path.is_file()):
        for container in ("models", "public"):
            azure.storage.put(container, str(file.relative_to(models)), file.read_bytes())


def variables(azure: Cloud) -> dict[str, str]:
    """What a pod needs to find Azure. It finds the proxy by a name, which may be unknown for a while."""
    port = azure.tunnel.url.rpartition(":")[2]
    url = f"http://{PROXY}.{SYSTEM}.svc.cluster.local:{port}"
    proxied = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), url)
    return {**azure.environment, **proxied, "REQUESTS_CA_BUNDLE": TRUSTED, "SSL_CERT_FILE": TRUSTED}


def name_of_proxy(host: str) -> list[Manifest]:
    """A Service without a selector: the name of an address outside the cluster."""
    ports = [{"name": "proxy", "port": 80}]
    about = {"name": PROXY, "labels": {"kubernetes.io/service-name": PROXY}}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": about,
        "spec": {"clusterIP": "None", "ports": ports},
    }
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": about,
        "addressType": "IPv4",
    }
    return [service, {**slice_, "ports": ports, "endpoints": [{"addresses": [host]}]}]


@contextmanager
def metadata_service(address: str) -> Iterator[None]:
    """Pods find the metadata service where Azure's machines have it; this machine's own network is let alone."""
    table = ["ip", "netns", "exec", f"mf-{CLUSTER}", "iptables", "--wait", "--table", "nat"]
    rule = ["PREROUTING", "--destination", IMDS, "--protocol", "tcp", "--dport", "80"]
    target = ["--jump", "DNAT", "--to-destination", address]
    run(*table, "--insert", *rule, *target)
    try:
        yield
    finally:
        run(*table, "--delete", *rule, *target)


@pytest.fixture
def workspace(site: Site) -> Workspace:
    """The workspace ml-prod, whose model claims has the versions 1 and 2; nothing goes wrong yet."""
    found = workspace_of(site, "ml-prod")
    site.cloud.control.faults.clear()
    return found


def workspace_of(site: Site, name: str) -> Workspace:
    """A workspace with the sample models in its datastore, in place of one of that name."""
    store = Datastore("workspaceblobstore", "demo", "models")
    found = Workspace(SUBSCRIPTION, "rg-ml", name, datastores=[store])
    found.models = [registered("claims", version) for version in ("1", "2")]
    others = [other for other in site.cloud.control.workspaces if other.name != name]
    site.cloud.control.workspaces[:] = [*others, found]
    return found


def registered(name: str, version: str, folder: str = "") -> Model:
    """A version of a model, in a folder of the workspace's own datastore."""
    return Model(name, version, f"azureml://datastores/workspaceblobstore/paths/{folder or f'{name}/{version}'}/")


def registry(site: Site) -> None:
    """The registry `shared`, with the model claims."""

    def sas(container: str, account: str) -> str:
        return site.planted.plant(
            "the signature of the registry", site.cloud.storage.sas(container, account=account)
        )

    models = [Model("claims", "1", "models/claims/1")]
    site.cloud.control.registries[:] = [Registry("shared", ("demo",), sas, models)]


def place(name: str = "ml-prod", **credentials: str) -> Manifest:
    """A workspace as a spec names it."""
    found: Manifest = {"subscriptionId": SUBSCRIPTION, "resourceGroup": "rg-ml", "name": name}
    return {**found, "credentials": credentials} if credentials else found


def principal() -> Manifest:
    """The Secret of a service principal."""
    data = {"tenantId": TENANT, "clientId": CLIENT, "clientSecret": SECRET}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "aml"}, "stringData": data}


def image_that_trusts(authority: Path, folder: Path) -> str:
    """The name of an image made from the server's, which trusts the authority; every node has it."""
    (folder / "Dockerfile").write_text(DOCKERFILE)
    script = (
        "import sys; from pathlib import Path; from local import images; from local.shell import run\n"
        "run('buildah', 'build', '--build-arg', 'SERVER=localhost/modelfleet/server:dev', '--tag', sys.argv[1],"
        " '--file', f'{sys.argv[2]}/Dockerfile', sys.argv[2])\n"
        "print(images.export(sys.argv[1], 'server-of-azure-tests'))"
    )
    image = "localhost/modelfleet/server-of-azure-tests:dev"
    command = [sys.executable, "-c", script, image, str(folder)]
    archive = subprocess.run(command, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True).stdout
    local("load", CLUSTER, archive.split()[-1])
    assert authority.exists()
    return image


def lead_operator_to(site: Site, kubectl: Kubectl, authority: Path) -> None:
    """Give the operator's pods the proxy, the authority and a workload identity, as a platform engineer does."""
    kubectl("create", "configmap", "azure-ca", f"--from-file=ca.pem={authority}")
    identity = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_FEDERATED_TOKEN_FILE": TOKEN_FILE}
    environment = {**site.variables, **identity, "MODELFLEET_POLL_SECONDS": str(POLL_S)}
    projected = {"path": "azure-identity-token", "audience": "api://AzureADTokenExchange"}
    pod = {
        "containers": [
            {
                "name": "operator",
                "env": [{"name": name, "value": value} for name, value in environment.items()],
                "volumeMounts": [
                    {"name": "azure-ca", "mountPath": "/etc/azure-ca"},
                    {"name": "azure-token", "mountPath": "/var/run/secrets/azure/tokens"},
                ],
            }
        ],
        "volumes": [
            {"name": "azure-ca", "configMap": {"name": "azure-ca"}},
            {"name": "azure-token", "projected": {"sources": [{"serviceAccountToken": projected}]}},
        ],
    }
    site.cloud.control.entra.federated.add(f"system:serviceaccount:{SYSTEM}:modelfleet-operator")
    kubectl("patch", OPERATOR, "--patch", json.dumps({"spec": {"template": {"spec": pod}}}))
    kubectl("rollout", "status", OPERATOR, "--timeout=300s")
