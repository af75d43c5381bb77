"""The ModelDeployment resource as frozen dataclasses, parsed from what the API server stores.

The CRD's schema and rules have checked the shape already, so parsing trusts it and only fills what
an older stored object may lack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from modelfleet.core.manifest import Manifest, dig
from modelfleet.core.policy import Policy, duration, parse_policy

POD_PASS_THROUGHS = (
    "nodeSelector",
    "tolerations",
    "affinity",
    "topologySpreadConstraints",
    "imagePullSecrets",
    "priorityClassName",
)
"""Fields of the spec that go into the pod as they are, under the same name."""

LATEST = "latest"
"""The version that stands for the newest one."""


@dataclass(frozen=True, slots=True)
class WorkloadIdentity:
    """The Entra application that the pods' service account is federated with."""

    client_id: str
    tenant_id: str


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where models and environments are registered, a workspace or a ``registry``, and what gives access to it.

    With neither a Secret nor a workload identity, the operator's own workload identity does.
    """

    subscription_id: str = ""
    resource_group: str = ""
    name: str = ""
    registry: str = ""
    secret_name: str = ""
    workload_identity: WorkloadIdentity | None = None

    @property
    def id(self) -> str:
        """Return its name in Azure Machine Learning."""
        if self.registry:
            return f"azureml://registries/{self.registry}"
        group = f"subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
        return f"azureml://{group}/workspaces/{self.name}"

    @property
    def label(self) -> str:
        """Return it in words, for messages."""
        return f"the registry {self.registry}" if self.registry else f"the workspace {self.name}"

    def source_of(self, model: str, version: str) -> str:
        """Return the name of a version of a model in Azure Machine Learning."""
        return f"{self.id}/models/{model}/versions/{version}"


@dataclass(frozen=True, slots=True)
class Model:
    """One model: where its files are and how to prove that they are the right ones.

    One that is registered in a ``workspace`` has no ``uri`` and no ``listing`` before it is resolved. ``content``
    is a hash that changes with its files where the listing alone would not.
    """

    name: str
    uri: str = ""
    version: str = ""
    sha256: str = ""
    file: str = ""
    listing: str = ""
    content: str = ""
    secret_name: str = ""
    workload_identity: WorkloadIdentity | None = None
    workspace: Workspace | None = None

    @property
    def follows_latest(self) -> bool:
        """Return whether it is whatever version is newest."""
        return self.workspace is not None and self.version == LATEST

    @property
    def is_signed(self) -> bool:
        """Return whether the operator has to get signed addresses for it, as for every model of a registry."""
        return self.workspace is not None and bool(self.workspace.registry)

    @property
    def port(self) -> int:
        """Return the TCP port that the model is fetched from."""
        url = urlsplit(self.uri)
        return url.port or (80 if url.scheme == "http" else 443)

    @property
    def in_cluster(self) -> bool:
        """Return whether the address is that of a Service of the cluster."""
        host = urlsplit(self.uri).hostname or ""
        return host.endswith((".svc", ".svc.cluster.local"))

    @property
    def label(self) -> str:
        """Return the model in words, for messages."""
        return f"{self.name} version {self.version}" if self.version else self.name


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """How the endpoint is exposed."""

    type: str = "ClusterIP"
    port: int = 80
    annotations: Manifest = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gateway:
    """The Gateway that requests come by as well, as an HTTPRoute names it, and the hosts that they are for."""

    parent_ref: Manifest
    hostnames: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment that is registered in a workspace, as NAME:VERSION."""

    name: str
    workspace: Workspace

    @property
    def source(self) -> str:
        """Return its name in Azure Machine Learning."""
        name, _, version = self.name.partition(":")
        return f"{self.workspace.id}/environments/{name}/versions/{version}"


@dataclass(frozen=True, slots=True)
class Region:
    """Where to serve: in the member clusters of a region, or in the one of them that ``cluster`` names.

    ``replicas`` is None where the number is that of the whole.
    """

    name: str
    replicas: int | None = None
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """What the user asks for; ``environment`` is what ``image`` has to be resolved from, if anything.

    ``workspace`` is where models are registered that do not say it; ``is_list`` is whether they stand in a list.
    """

    models: tuple[Model, ...]
    is_list: bool = False
    workspace: Workspace | None = None
    image: str = ""
    environment: Environment | None = None
    replicas: int = 1
    regions: tuple[Region, ...] = ()
    resources: Manifest = field(default_factory=dict)
    env: tuple[Manifest, ...] = ()
    pod: Manifest = field(default_factory=dict)
    service: ServiceSpec = field(default_factory=ServiceSpec)
    gateway: Gateway | None = None
    rollout: Policy | None = None
    deletion_policy: str = "Delete"
    deletion_timeout: timedelta = timedelta(minutes=15)

    def place_of(self, index: int) -> str:
        """Return where a model stands in the spec, for messages."""
        return f"spec.models[{index}]" if self.is_list else "spec.model"


@dataclass(frozen=True, slots=True)
class ModelDeployment:
    """One ModelDeployment as last seen in the cluster, or what it is to be in one of its regions.

    ``deleted_at`` is when its deletion was asked for. ``hub`` is the UID of the cluster that it is in, where what
    is made of it is in another one; else empty.
    """

    name: str
    namespace: str
    uid: str
    generation: int
    deleted_at: datetime | None
    spec: Spec
    status: Manifest
    body: Manifest
    hub: str = ""

    @property
    def label(self) -> str:
        """Return what it serves in words, for messages."""
        return ", ".join(model.label for model in self.spec.models)

    @property
    def endpoint(self) -> str:
        """Return the URL of the Service inside the cluster."""
        port = self.spec.service.port
        return f"http://{self.name}.{self.namespace}.svc" + ("" if port == 80 else f":{port}")


def parse(body: Manifest) -> ModelDeployment:
    """Return the resource that a stored object describes."""
    metadata = body["metadata"]
    return ModelDeployment(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        deleted_at=_moment(metadata.get("deletionTimestamp")),
        spec=_spec(body["spec"]),
        status=body.get("status", {}),
        body=body,
    )


def _spec(spec: Manifest) -> Spec:
    workspace = _workspace(spec.get("workspace"))
    registered = dig(spec, "environment", "azureml")
    return Spec(
        models=tuple(_model(model, workspace) for model in spec.get("models") or [spec["model"]]),
        is_list=bool(spec.get("models")),
        workspace=workspace,
        image=dig(spec, "environment", "image") or "",
        environment=Environment(registered, workspace) if registered and workspace else None,
        replicas=spec.get("replicas", 1),
        regions=tuple(_regions(spec)),
        resources=spec.get("resources", {}),
        env=tuple(spec.get("env", ())),
        pod={key: spec[key] for key in POD_PASS_THROUGHS if spec.get(key)},
        service=ServiceSpec(**_known(spec.get("service", {}), "type", "port", "annotations")),
        gateway=_gateway(spec.get("gateway")),
        rollout=parse_policy(spec.get("rollout")),
        deletion_policy=spec.get("deletionPolicy", "Delete"),
        deletion_timeout=duration(spec.get("deletionTimeout", "15m")),
    )


def _regions(spec: Manifest) -> Iterator[Region]:
    if "region" in spec:
        yield Region(spec["region"])
    for region in spec.get("regions", ()):
        yield Region(**_known(region, "name", "replicas", "cluster"))


def _model(model: Manifest, workspace: Workspace | None) -> Model:
    """Return a model, with what gives access to its files: said beside its address, or of its workspace."""
    stated = _known(model, "name", "uri", "version", "sha256", "file")
    if "uri" in model:
        return Model(**stated, **_access(model))
    home = _workspace(model.get("workspace")) or workspace
    if not home or home.registry:
        return Model(**stated, workspace=home)
    return Model(**stated, secret_name=home.secret_name, workload_identity=home.workload_identity, workspace=home)


def _gateway(gateway: Manifest | None) -> Gateway | None:
    return Gateway(gateway["parentRef"], tuple(gateway.get("hostnames", ()))) if gateway else None


def _workspace(workspace: Manifest | None) -> Workspace | None:
    if not workspace:
        return None
    return Workspace(
        subscription_id=workspace.get("subscriptionId", ""),
        resource_group=workspace.get("resourceGroup", ""),
        **_known(workspace, "name", "registry"),
        **_access(workspace),
    )


def _access(holder: Manifest) -> dict[str, Any]:
    identity = dig(holder, "credentials", "workloadIdentity")
    return {
        "secret_name": dig(holder, "credentials", "secretName") or "",
        "workload_identity": identity and WorkloadIdentity(identity["clientId"], identity["tenantId"]),
    }


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _known(fields: Manifest, *names: str) -> dict[str, Any]:
    return {name: fields[name] for name in names if name in fields}
