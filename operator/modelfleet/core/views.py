"""What each rendered object is made from: the typed inputs of the templates.

Templates hold shape, these hold decisions. A view names no colour of YAML and no Kubernetes default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modelfleet.core.manifest import Manifest


@dataclass(frozen=True, slots=True)
class ServiceAccountView:
    """The account that pods run as; workload identity federates with it."""

    name: str


@dataclass(frozen=True, slots=True)
class SecretView:
    """Credentials as MODEL.KEY (in registries MODEL.VERSION.KEY), base64 as the users' Secrets have them."""

    name: str
    data: Manifest


@dataclass(frozen=True, slots=True)
class NetworkPolicyView:
    """Who may reach the pods (anybody, on the serving port) and what the pods may reach: DNS and storage.

    Storage inside the cluster may be reached at any port: a policy sees the port of the pod behind a
    Service, which the model's address does not tell. Pods that ``mirror`` requests reach each other.
    """

    name: str
    selector: Manifest
    egress_ports: tuple[int, ...]
    in_cluster: bool
    mirrors: bool


@dataclass(frozen=True, slots=True)
class PodDisruptionBudgetView:
    """How many pods an eviction may take at a time."""

    name: str
    selector: Manifest


@dataclass(frozen=True, slots=True)
class ServiceView:
    """The endpoint. Its selector never changes, so that no rollout can lose it."""

    name: str
    selector: Manifest
    type: str
    port: int
    annotations: Manifest


@dataclass(frozen=True, slots=True)
class HTTPRouteView:
    """What a Gateway does with requests: it sends them to Services by their ``weights``, in percent."""

    name: str
    parent_ref: Manifest
    hostnames: tuple[str, ...]
    weights: Manifest
    port: int


@dataclass(frozen=True, slots=True)
class ConfigMapView:
    """Files for the servers, by their names, as text."""

    name: str
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model in a pod: the container that fetches it, and ``argument``, the server's NAME[:VERSION]=PATH.

    ``credentials`` is the folder with the model's part of the Secret, empty where it needs none.
    """

    container: str
    argument: str
    uri: str
    sha256: str
    listing: str
    directory: str
    credentials: str
    workload_identity: bool
    env: tuple[Manifest, ...]


@dataclass(frozen=True, slots=True)
class PodView:
    """The pod template of one revision.

    ``secret_name`` is empty where no model needs a Secret; ``secret_items`` puts its keys into models' folders.
    ``live_settings`` and ``samples`` name ConfigMaps: of settings that the server follows without a restart, and
    of what it has to answer before it is ready. Either is empty where there is none. A server that takes longer
    than ``start_limit_s`` to start is started again.
    """

    labels: Manifest
    selector: Manifest
    service_account: str
    image: str
    models: tuple[ModelView, ...]
    secret_name: str
    secret_items: tuple[Manifest, ...]
    workload_identity: bool
    resources: Manifest
    env: tuple[Manifest, ...]
    pass_through: Manifest
    has_spread: bool
    live_settings: str
    samples: str
    start_limit_s: int


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """The pods of one track. ``replicas`` is None where an autoscaler owns the number.

    ``template`` is the pod template as it was first applied for this revision; it is rendered from
    ``pod`` only where there is none yet, so that a new release of the operator restarts nobody's pods.
    ``previous`` has the revision and template to go back to, if there is one.
    """

    name: str
    revision: str
    selector: Manifest
    replicas: int | None
    pod: PodView
    template: Manifest | None
    progress_deadline_s: int = 600
    previous: Manifest | None = None


View = (
    ServiceAccountView
    | SecretView
    | ConfigMapView
    | NetworkPolicyView
    | PodDisruptionBudgetView
    | ServiceView
    | DeploymentView
    | HTTPRouteView
)

KINDS: dict[type, str] = {
    ServiceAccountView: "ServiceAccount",
    SecretView: "Secret",
    ConfigMapView: "ConfigMap",
    NetworkPolicyView: "NetworkPolicy",
    PodDisruptionBudgetView: "PodDisruptionBudget",
    ServiceView: "Service",
    DeploymentView: "Deployment",
    HTTPRouteView: "HTTPRoute",
}
"""The kind of object that each view becomes."""
