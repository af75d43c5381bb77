"""The objects that one ModelDeployment wants, and what stands in the way of wanting them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from modelfleet.core import names
from modelfleet.core.api import Model, ModelDeployment, WorkloadIdentity
from modelfleet.core.diagnosis import Cause
from modelfleet.core.manifest import Manifest
from modelfleet.core.observed import ChildKey, Observed
from modelfleet.core.revision import revision_of
from modelfleet.core.views import (
    KINDS,
    DeploymentView,
    NetworkPolicyView,
    PodDisruptionBudgetView,
    PodView,
    SecretView,
    ServiceAccountView,
    ServiceView,
    View,
)

CREDENTIAL_FORMS = ({"sasToken"}, {"accountKey"}, {"tenantId", "clientId", "clientSecret"})
DNS_PORT = 53
HTTPS_PORT = 443
TOKEN_DIRECTORY = "/var/run/secrets/azure/tokens"  # noqa: S105  a path


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the installation decides for every ModelDeployment that does not say."""

    server_image: str


def child_key(view: View) -> ChildKey:
    """Return the kind and name of the object that the view becomes."""
    return KINDS[type(view)], view.name


def possible_names(owner: ModelDeployment) -> set[ChildKey]:
    """Return the kind and name of every object that the owner may ever want."""
    secret = names.credentials_secret(owner.name)
    return {(kind, secret if kind == "Secret" else owner.name) for kind in KINDS.values()}


def obstacle(owner: ModelDeployment, observed: Observed) -> Cause | None:
    """Return what forbids touching any child, or None; half of a change is worse than none."""
    secret = owner.spec.model.secret_name
    if not secret:
        return None
    if observed.credentials is None:
        return Cause(
            "CredentialsMissing",
            f"The Secret {secret} named in spec.model.credentials does not exist in namespace "
            f"{owner.namespace}; create it.",
        )
    if _credential_form(observed.credentials) is None:
        return Cause(
            "CredentialsInvalid",
            f"The Secret {secret} must hold sasToken, or accountKey, or tenantId, clientId and clientSecret; "
            f"its keys are: {', '.join(sorted(observed.credentials.get('data') or {})) or 'none'}.",
            stalled=True,
        )
    return None


def children_of(owner: ModelDeployment, observed: Observed, defaults: Defaults) -> tuple[View, ...]:
    """Return the wanted objects in the order in which they are applied: pods last, when all else is there."""
    pods = names.pod_selector(owner.name)
    service = owner.spec.service
    return (
        ServiceAccountView(owner.name),
        *_secret(owner, observed),
        NetworkPolicyView(owner.name, pods, _egress_ports(owner.spec.model), owner.spec.model.in_cluster),
        PodDisruptionBudgetView(owner.name, pods),
        ServiceView(owner.name, pods, service.type, service.port, service.annotations),
        _deployment(owner, observed, defaults),
    )


def _credential_form(secret: Manifest) -> set[str] | None:
    keys = (secret.get("data") or {}).keys()
    return next((form for form in CREDENTIAL_FORMS if form <= keys), None)


def _secret(owner: ModelDeployment, observed: Observed) -> Iterator[SecretView]:
    form = _credential_form(observed.credentials) if observed.credentials else None
    if observed.credentials and form:
        data = {key: observed.credentials["data"][key] for key in sorted(form)}
        yield SecretView(names.credentials_secret(owner.name), data)


def _egress_ports(model: Model) -> tuple[int, ...]:
    """Return the TCP ports that pods may reach: the storage's, and Entra's where a token has to be had."""
    signs_in = model.secret_name or model.workload_identity
    ports = {model.port, *((HTTPS_PORT,) if signs_in else ())}
    return tuple(sorted(ports - {DNS_PORT}))


def _deployment(owner: ModelDeployment, observed: Observed, defaults: Defaults) -> DeploymentView:
    revision = revision_of(owner.spec)
    live = observed.deployment(owner.name)
    unchanged = live is not None and live.revision == revision
    return DeploymentView(
        name=owner.name,
        revision=revision,
        selector=names.track_selector(owner.name, names.STABLE),
        replicas=None if observed.autoscaled else owner.spec.replicas,
        pod=_pod(owner, revision, defaults),
        template=live.pod_template if live and unchanged else None,
    )


def _pod(owner: ModelDeployment, revision: str, defaults: Defaults) -> PodView:
    spec, model = owner.spec, owner.spec.model
    directory = f"/models/{model.name}"
    path = f"{directory}/{model.file}" if model.file else directory
    selector = names.track_selector(owner.name, names.STABLE)
    return PodView(
        labels={**names.managed_labels(owner.name), **selector, names.REVISION: revision},
        selector=selector,
        service_account=owner.name,
        image=spec.image or defaults.server_image,
        model=f"{model.name}{':' if model.version else ''}{model.version}={path}",
        uri=model.uri,
        sha256=model.sha256,
        directory=directory,
        secret_name=names.credentials_secret(owner.name) if model.secret_name else "",
        workload_identity=model.workload_identity is not None,
        resources=spec.resources,
        env=spec.env,
        fetch_env=_fetch_env(model.workload_identity, spec.env),
        pass_through=spec.pod,
        has_spread="topologySpreadConstraints" in spec.pod,
    )


def _fetch_env(identity: WorkloadIdentity | None, env: tuple[Manifest, ...]) -> tuple[Manifest, ...]:
    """Return the fetcher's variables; a name stands once, and the model's own identity goes first for it."""
    ours = {variable["name"]: variable for variable in _identity_env(identity)}
    return (*ours.values(), *(variable for variable in env if variable["name"] not in ours))


def _identity_env(identity: WorkloadIdentity | None) -> Iterator[Manifest]:
    """Yield what the Azure SDKs expect of a federated pod, so that no admission webhook is needed."""
    if identity:
        yield {"name": "AZURE_CLIENT_ID", "value": identity.client_id}
        yield {"name": "AZURE_TENANT_ID", "value": identity.tenant_id}
        yield {"name": "AZURE_FEDERATED_TOKEN_FILE", "value": f"{TOKEN_DIRECTORY}/azure-identity-token"}
