"""The ModelDeployment resource as frozen dataclasses, parsed from what the API server stores.

The CRD's schema and rules have checked the shape already, so parsing trusts it and only fills what
an older stored object may lack.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from modelfleet.core.manifest import Manifest, dig

POD_PASS_THROUGHS = (
    "nodeSelector",
    "tolerations",
    "affinity",
    "topologySpreadConstraints",
    "imagePullSecrets",
    "priorityClassName",
)
"""Fields of the spec that go into the pod as they are, under the same name."""


@dataclass(frozen=True, slots=True)
class WorkloadIdentity:
    """The Entra application that the pods' service account is federated with."""

    client_id: str
    tenant_id: str


@dataclass(frozen=True, slots=True)
class Model:
    """One model: where its files are and how to prove that they are the right ones."""

    name: str
    uri: str
    version: str = ""
    sha256: str = ""
    file: str = ""
    secret_name: str = ""
    workload_identity: WorkloadIdentity | None = None

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
class Spec:
    """What the user asks for."""

    model: Model
    image: str = ""
    replicas: int = 1
    resources: Manifest = field(default_factory=dict)
    env: tuple[Manifest, ...] = ()
    pod: Manifest = field(default_factory=dict)
    service: ServiceSpec = field(default_factory=ServiceSpec)
    deletion_policy: str = "Delete"


@dataclass(frozen=True, slots=True)
class ModelDeployment:
    """One ModelDeployment as last seen in the cluster."""

    name: str
    namespace: str
    uid: str
    generation: int
    deleting: bool
    spec: Spec
    status: Manifest
    body: Manifest

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
        deleting="deletionTimestamp" in metadata,
        spec=_spec(body["spec"]),
        status=body.get("status", {}),
        body=body,
    )


def _spec(spec: Manifest) -> Spec:
    return Spec(
        model=_model(spec["model"]),
        image=dig(spec, "environment", "image") or "",
        replicas=spec.get("replicas", 1),
        resources=spec.get("resources", {}),
        env=tuple(spec.get("env", ())),
        pod={key: spec[key] for key in POD_PASS_THROUGHS if spec.get(key)},
        service=ServiceSpec(**_known(spec.get("service", {}), "type", "port", "annotations")),
        deletion_policy=spec.get("deletionPolicy", "Delete"),
    )


def _model(model: Manifest) -> Model:
    identity = dig(model, "credentials", "workloadIdentity")
    return Model(
        **_known(model, "name", "uri", "version", "sha256", "file"),
        secret_name=dig(model, "credentials", "secretName") or "",
        workload_identity=identity and WorkloadIdentity(identity["clientId"], identity["tenantId"]),
    )


def _known(fields: Manifest, *names: str) -> dict[str, Any]:
    return {name: fields[name] for name in names if name in fields}
