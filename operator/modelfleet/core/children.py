"""The objects that one ModelDeployment wants, and what stands in the way of wanting them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, replace

from modelfleet.core import endpoint, names
from modelfleet.core.api import Model, ModelDeployment, Spec, WorkloadIdentity, Workspace
from modelfleet.core.decision import Decision
from modelfleet.core.diagnosis import Cause
from modelfleet.core.errors import Terminal
from modelfleet.core.firewall import network_policy
from modelfleet.core.manifest import Manifest, dig
from modelfleet.core.observed import ChildKey, Deployment, Observed
from modelfleet.core.registered import Principal, Resolution, Signed
from modelfleet.core.revision import revision_of
from modelfleet.core.views import (
    KINDS,
    ConfigMapView,
    DeploymentView,
    ModelView,
    PodDisruptionBudgetView,
    PodView,
    SecretView,
    ServiceAccountView,
    View,
)

PRINCIPAL = ("tenantId", "clientId", "clientSecret")
CREDENTIAL_FORMS = (("sasToken",), ("accountKey",), PRINCIPAL)
SIGNED = ("uri", "sasToken")
"""What pods find in the Secret for a model of a registry; beside it stands the ``source`` that it is for."""
CREDENTIAL_KEYS = ("sasToken", "accountKey", *PRINCIPAL)
PROGRESS_DEADLINE_S = 600
CREDENTIALS_DIRECTORY = "/var/run/secrets/modelfleet"
TOKEN_DIRECTORY = "/var/run/secrets/azure/tokens"  # noqa: S105  a path


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the installation decides for every ModelDeployment that does not say.

    ``identity`` is the operator's own in Microsoft Entra, if it has one.
    """

    server_image: str
    identity: WorkloadIdentity | None = None


@dataclass(frozen=True, slots=True)
class NeededSecret:
    """A Secret of the user's that the spec names at ``place``; it needs all keys of one of the ``forms``."""

    name: str
    place: str
    forms: tuple[tuple[str, ...], ...]


def child_key(view: View) -> ChildKey:
    """Return the kind and name of the object that the view becomes."""
    return KINDS[type(view)], view.name


def possible_names(owner: ModelDeployment) -> set[ChildKey]:
    """Return the kind and name of every object that the owner may ever want."""
    tracks = {names.track_service(owner.name, track) for track in (names.STABLE, names.CANARY)}
    named = {
        "Secret": {names.credentials_secret(owner.name)},
        "ConfigMap": {names.live_settings(owner.name), names.samples(owner.name)},
        "Service": {owner.name, *tracks},
        "Deployment": {owner.name, names.canary_deployment(owner.name)},
    }
    return {(kind, name) for kind in KINDS.values() for name in named.get(kind, {owner.name})}


def canary_key(owner: ModelDeployment) -> ChildKey:
    """Return the kind and name of what runs a canary."""
    return "Deployment", names.canary_deployment(owner.name)


def needed_secrets(spec: Spec) -> Iterator[NeededSecret]:
    """Yield the user's Secrets that something of the spec cannot do without."""
    for index, model in enumerate(spec.models):
        if model.workspace is None and model.secret_name:
            yield NeededSecret(model.secret_name, f"{spec.place_of(index)}.credentials", CREDENTIAL_FORMS)
    for workspace in workspaces_of(spec):
        if workspace.secret_name:
            yield NeededSecret(workspace.secret_name, f"{_place_of(workspace, spec)}.credentials", (PRINCIPAL,))


def workspaces_of(spec: Spec) -> tuple[Workspace, ...]:
    """Return where models or the environment have to be looked up."""
    found = [model.workspace for model in spec.models if model.workspace]
    return tuple(dict.fromkeys([*found, *([spec.environment.workspace] if spec.environment else [])]))


def is_settled(owner: ModelDeployment, observed: Observed) -> bool:
    """Return whether no pod is left but those of the revision that is asked for, and none of them is missing."""
    live = observed.deployment(owner.name)
    is_alone = canary_key(owner) not in observed.children
    return is_alone and live is not None and live.settled and live.revision == revision_of(owner.spec)


def obstacle(owner: ModelDeployment, observed: Observed) -> Cause | None:
    """Return what forbids touching any child, or None; half of a change is worse than none."""
    secrets = (_secret_obstacle(owner.namespace, needed, observed) for needed in needed_secrets(owner.spec))
    return next(filter(None, secrets), None) or endpoint.gateway_obstacle(owner, observed)


def principal_of(workspace: Workspace, observed: Observed) -> Principal | None:
    """Return the service principal of a workspace, or None where the operator's own identity is to be used."""
    secret = observed.credentials.get(workspace.secret_name)
    if not secret:
        return None
    tenant, client, password = (
        b64decode(secret["data"][key]).decode(errors="replace").strip() for key in PRINCIPAL
    )
    return Principal(tenant, client, password)


def signed_before(found: Resolution, model: Model, owner: ModelDeployment, observed: Observed) -> bool:
    """Return whether the pods have an address of that version of the model, signed before."""
    live = _live_keys(found.of(model), owner, observed)
    return live.keys() == {*SIGNED, "source"} and live["source"] == _base64(found.source)


def children_of(
    owner: ModelDeployment, observed: Observed, decision: Decision, defaults: Defaults
) -> tuple[View, ...]:
    """Return the wanted objects in the order in which they are applied: pods last, when all else is there."""
    return (
        ServiceAccountView(owner.name),
        *_secret(owner, observed),
        *endpoint.live_settings(owner, decision),
        *_samples(owner, observed),
        network_policy(owner, observed, is_settled=is_settled(owner, observed)),
        PodDisruptionBudgetView(owner.name, names.pod_selector(owner.name)),
        *endpoint.services(owner),
        *endpoint.routes(owner, decision),
        *_deployments(owner, observed, decision, defaults),
    )


def _place_of(workspace: Workspace, spec: Spec) -> str:
    """Return where the spec names a workspace: as that of all models, or else of the first one that has it."""
    holders = (index for index, model in enumerate(spec.models) if model.workspace == workspace)
    if workspace == spec.workspace:
        return "spec.workspace"
    return f"{spec.place_of(next(holders))}.workspace"


def _secret_obstacle(namespace: str, needed: NeededSecret, observed: Observed) -> Cause | None:
    secret = observed.credentials.get(needed.name)
    if secret is None:
        return Cause(
            "CredentialsMissing",
            f"The Secret {needed.name} named in {needed.place} does not exist in namespace {namespace}; "
            "create it.",
        )
    if _form(needed.forms, secret):
        return None
    return Cause(
        "CredentialsInvalid",
        f"The Secret {needed.name} named in {needed.place} must hold {_told(needed.forms)}; "
        f"its keys are: {', '.join(sorted(secret.get('data') or {})) or 'none'}.",
        stalled=True,
    )


def _form(forms: tuple[tuple[str, ...], ...], secret: Manifest) -> tuple[str, ...] | None:
    keys = (secret.get("data") or {}).keys()
    return next((form for form in forms if keys >= set(form)), None)


def _told(forms: tuple[tuple[str, ...], ...]) -> str:
    return ", or ".join(" and ".join(filter(None, [", ".join(form[:-1]), form[-1]])) for form in forms)


def _secret(owner: ModelDeployment, observed: Observed) -> Iterator[SecretView]:
    """Yield the Secret of the pods, which has the keys of each model under that model's name."""
    data = {
        _secret_key(model, key): value
        for model in owner.spec.models
        for key, value in sorted(_credentials(model, owner, observed).items())
    }
    data |= _kept_keys(owner, observed)
    if data:
        yield SecretView(names.credentials_secret(owner.name), data)


def _samples(owner: ModelDeployment, observed: Observed) -> Iterator[ConfigMapView]:
    """Yield the copy of the golden samples that pods need in another cluster than the user's ConfigMap is in."""
    if owner.hub and observed.samples:
        yield ConfigMapView(names.samples(owner.name), observed.samples.get("data") or {})


def _credentials(model: Model, owner: ModelDeployment, observed: Observed) -> Manifest:
    if model.is_signed:
        signed = observed.signed.get(model.name)
        return _encoded(signed, model.uri) if signed else _live_keys(model, owner, observed)
    secret = observed.credentials.get(model.secret_name)
    form = _form(CREDENTIAL_FORMS if model.workspace is None else (PRINCIPAL,), secret) if secret else None
    return {key: secret["data"][key] for key in form} if secret and form else {}


def _encoded(signed: Signed, source: str) -> Manifest:
    return {"uri": _base64(signed.uri), "sasToken": _base64(signed.token), "source": _base64(source)}


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _live_keys(model: Model, owner: ModelDeployment, observed: Observed) -> Manifest:
    """Return what the pods' Secret holds of a model's signed address, which may be good while Azure is away."""
    data = _live_secret(owner, observed)
    keys = (*SIGNED, "source")
    return {key: data[_secret_key(model, key)] for key in keys if _secret_key(model, key) in data}


def _kept_keys(owner: ModelDeployment, observed: Observed) -> Manifest:
    """Return the keys of models that are wanted no more: while revisions change, their pods may start anew."""
    if is_settled(owner, observed):
        return {}
    wanted = tuple(_secret_key(model, "") for model in owner.spec.models)
    return {key: value for key, value in _live_secret(owner, observed).items() if not key.startswith(wanted)}


def _live_secret(owner: ModelDeployment, observed: Observed) -> Manifest:
    live = observed.children.get(("Secret", names.credentials_secret(owner.name)))
    return dig(live, "data") or {}


def _secret_key(model: Model, key: str) -> str:
    """Return where a key of a model stands in the Secret; an address is that of one version."""
    return f"{model.name}.{model.version}.{key}" if model.is_signed else f"{model.name}.{key}"


def _deployments(
    owner: ModelDeployment, observed: Observed, decision: Decision, defaults: Defaults
) -> Iterator[DeploymentView]:
    """Yield what runs the stable pods, and what runs a canary of the target where there is to be one."""
    yield _stable(owner, observed, decision, defaults)
    if decision.canary is not None:
        yield _track(owner, names.CANARY, decision.canary, observed, defaults)


def _stable(owner: ModelDeployment, observed: Observed, decision: Decision, defaults: Defaults) -> DeploymentView:
    replicas = None if observed.autoscaled else owner.spec.replicas
    target = _track(owner, names.STABLE, replicas, observed, defaults)
    live = observed.deployment(owner.name)
    previous = _previous(live, decision.previous) if live else None
    if decision.stable == target.revision or live is None:
        return replace(target, previous=previous)
    template = live.template_of(decision.stable)
    if template is None:
        raise Terminal(
            "RollbackImpossible",
            f"The pods of revision {decision.stable} are not recorded any more, so there is no way back to it; "
            "write in the spec what is to be served.",
        )
    return replace(target, revision=decision.stable, template=template, previous=previous)


def _previous(live: Deployment, revision: str) -> Manifest | None:
    """Return the record of the revision that pods go back to; where it is lost, there is no way back."""
    template = live.template_of(revision) if revision else None
    return {"revision": revision, "template": template} if template else None


def _track(
    owner: ModelDeployment, track: str, replicas: int | None, observed: Observed, defaults: Defaults
) -> DeploymentView:
    """Return the pods of the revision that the spec asks for, on one track."""
    revision, is_canary = revision_of(owner.spec), track == names.CANARY
    name = names.canary_deployment(owner.name) if is_canary else owner.name
    live = observed.deployment(name)
    return DeploymentView(
        name=name,
        revision=revision,
        selector=names.track_selector(owner.name, track),
        replicas=replicas,
        pod=_pod(owner, track, revision, defaults),
        template=_recorded_template(live, revision),
        progress_deadline_s=_progress_deadline_s(owner.spec),
    )


def _progress_deadline_s(spec: Spec) -> int:
    return int(spec.rollout.progress_deadline.total_seconds()) if spec.rollout else PROGRESS_DEADLINE_S


def _recorded_template(live: Deployment | None, revision: str) -> Manifest | None:
    """Return what the pods of a revision were made from before, also where they come back."""
    if live is None or live.revision == revision:
        return live.pod_template if live else None
    return live.template_of(revision)


def _pod(owner: ModelDeployment, track: str, revision: str, defaults: Defaults) -> PodView:
    spec, is_canary = owner.spec, track == names.CANARY
    selector = names.track_selector(owner.name, track)
    models = tuple(_model(index, model, spec, defaults) for index, model in enumerate(spec.models))
    return PodView(
        labels={**names.managed_labels(owner.name, owner.hub), **selector, names.REVISION: revision},
        selector=selector,
        service_account=owner.name,
        image=spec.image or defaults.server_image,
        models=models,
        secret_name=names.credentials_secret(owner.name) if any(m.credentials for m in models) else "",
        secret_items=tuple(item for model in spec.models for item in _secret_items(model)),
        workload_identity=any(m.workload_identity for m in models),
        resources=spec.resources,
        env=spec.env,
        pass_through=spec.pod,
        has_spread="topologySpreadConstraints" in spec.pod,
        live_settings="" if is_canary else names.live_settings(owner.name),  # one that mirrored would ask itself
        samples=_samples_name(owner) if is_canary else "",
        start_limit_s=max(PROGRESS_DEADLINE_S, _progress_deadline_s(spec)),
    )


def _samples_name(owner: ModelDeployment) -> str:
    """Return the ConfigMap with what a canary has to answer before it is ready, if anything."""
    named = owner.spec.rollout.samples if owner.spec.rollout else ""
    return names.samples(owner.name) if named and owner.hub else named


def _model(index: int, model: Model, spec: Spec, defaults: Defaults) -> ModelView:
    directory = f"/models/{model.name}"
    path = f"{directory}/{model.file}" if model.file else directory
    identity = _identity(model, defaults)
    return ModelView(
        container=names.fetch_container(index),
        argument=f"{model.name}{':' if model.version else ''}{model.version}={path}",
        uri=model.uri,
        sha256=model.sha256,
        listing=model.listing,
        directory=directory,
        credentials=f"{CREDENTIALS_DIRECTORY}/{model.name}" if _keys(model) else "",
        workload_identity=identity is not None,
        env=_fetch_env(identity, spec.env),
    )


def _keys(model: Model) -> tuple[str, ...]:
    """Return the keys that the model's part of the Secret may have."""
    if model.is_signed:
        return SIGNED
    return CREDENTIAL_KEYS if model.secret_name else ()


def _secret_items(model: Model) -> Iterator[Manifest]:
    """Yield which key of the Secret becomes which file of the model's folder."""
    for key in _keys(model):
        yield {"key": _secret_key(model, key), "path": f"{model.name}/{key}"}


def _identity(model: Model, defaults: Defaults) -> WorkloadIdentity | None:
    """Return the identity that pods read a model with: its own, or the operator's where a workspace names none."""
    if model.workload_identity or model.workspace is None or model.is_signed or model.secret_name:
        return model.workload_identity
    return defaults.identity


def _fetch_env(identity: WorkloadIdentity | None, env: tuple[Manifest, ...]) -> tuple[Manifest, ...]:
    """Return a fetcher's variables; a name stands once, and the model's own identity goes first for it."""
    ours = {variable["name"]: variable for variable in _identity_env(identity)}
    return (*ours.values(), *(variable for variable in env if variable["name"] not in ours))


def _identity_env(identity: WorkloadIdentity | None) -> Iterator[Manifest]:
    """Yield what the Azure SDKs expect of a federated pod, so that no admission webhook is needed."""
    if identity:
        yield {"name": "AZURE_CLIENT_ID", "value": identity.client_id}
        yield {"name": "AZURE_TENANT_ID", "value": identity.tenant_id}
        yield {"name": "AZURE_FEDERATED_TOKEN_FILE", "value": f"{TOKEN_DIRECTORY}/azure-identity-token"}
