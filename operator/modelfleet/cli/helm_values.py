"""What replaces a release of the chart gen-ml-api: its values become a ModelDeployment, and sentences on the rest.

The chart installed one server for all models of a workspace, which took the name of a model from each request and
the latest version of it. So the values name no model: whoever imports them does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from modelfleet.cli import gen_ml_api
from modelfleet.cli.gen_ml_api import Values, gap, shown
from modelfleet.core.manifest import Manifest

API_VERSION = "modelfleet.dev/v1alpha1"
KIND = "ModelDeployment"
LATEST = "latest"
SEVERAL = "ml-api"
"""The name where several models are served and none was chosen."""

_NAME = re.compile("[a-z]([-a-z0-9]*[a-z0-9])?")
_LONGEST_NAME = 52
_MOST_MODELS = 16
_NAMESPACE = re.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_MODEL = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WORKSPACE = {
    "subscriptionId": "amlargs.azureSubscriptionId",
    "resourceGroup": "amlargs.azureResourceGroupName",
    "name": "amlargs.azureMlWorkspaceName",
}
_CARRIED = ("resources", "nodeSelector", "tolerations", "affinity", "imagePullSecrets")
_TITLE = "Made from the values of a release of gen-ml-api by: modelfleet import helm-values"
_NEXT = "\n    "
_HINT = (
    "The values that a release runs with, the pipeline's variables among them, are printed by: "
    "helm get values RELEASE --namespace NAMESPACE --all --output yaml"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the values do not say: how to call the new resource, and which models it serves, as NAME[:VERSION]."""

    name: str = ""
    namespace: str = ""
    models: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """Return the name of the ModelDeployment, which becomes the host name of its endpoint."""
        only = self.models[0].partition(":")[0] if len(self.models) == 1 else ""
        found = re.sub("[^a-z0-9]+", "-", only.lower()).strip("-")[:_LONGEST_NAME].strip("-")
        return self.name or (found if _NAME.fullmatch(found) else SEVERAL)

    @property
    def secret(self) -> str:
        """Return the name of the Secret that opens the workspace."""
        return f"{self.host}-azureml"

    @property
    def metadata(self) -> dict[str, str]:
        """Return the metadata of what is printed."""
        return {"name": self.host} | ({"namespace": self.namespace} if self.namespace else {})


@dataclass(frozen=True, slots=True)
class Migration:
    """What to print; if there are ``obstacles``, these instead of all else."""

    manifests: tuple[Manifest, ...] = ()
    comments: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """What some of the values become: fields of the spec, and sentences on what stays behind."""

    spec: dict[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def convert(given: Manifest, wanted: Wanted) -> Migration:
    """Return what replaces a release with the values ``given``."""
    values = gen_ml_api.read(given)
    if obstacles := (*_obstacles_of(wanted), *_obstacles_of_workspace(values)):
        return Migration(obstacles=obstacles)
    parts = [translate(values, wanted) for translate in _TRANSLATORS]
    spec = {name: value for part in parts for name, value in part.spec.items()}
    resource = {"apiVersion": API_VERSION, "kind": KIND, "metadata": wanted.metadata, "spec": spec}
    needed = _secret_needed(wanted)
    remarks = (*(remark for part in parts for remark in part.remarks), *values.remarks)
    return Migration(
        manifests=(resource, *_autoscalers(values, wanted)),
        comments=(_TITLE, needed, _secret(values, wanted), *remarks),
        remarks=(needed, *remarks),
    )


# What cannot be done without


def _obstacles_of(wanted: Wanted) -> Iterator[str]:
    if not wanted.models:
        yield (
            "No model is named, and the values name none either, as the old server took the name from each "
            "request: name each model that clients ask for, as in --model claims or --model claims:3."
        )
    yield from _obstacles_of_models(wanted)
    if len(wanted.host) > _LONGEST_NAME or not _NAME.fullmatch(wanted.host):
        yield (
            f"--name {shown(wanted.name)} cannot be a host name: write at most {_LONGEST_NAME} lower-case "
            "letters, digits and hyphens, with a letter first and no hyphen last."
        )
    if wanted.namespace and not _NAMESPACE.fullmatch(wanted.namespace):
        yield f"--namespace {shown(wanted.namespace)} is no name of a namespace."


def _obstacles_of_models(wanted: Wanted) -> Iterator[str]:
    if len(wanted.models) > _MOST_MODELS:
        yield (
            f"One ModelDeployment serves at most {_MOST_MODELS} models: run this once for each part of them, "
            "with a --name for each."
        )
    names = [model.partition(":")[0] for model in wanted.models]
    for model in wanted.models:
        name, colon, version = model.partition(":")
        if not _MODEL.fullmatch(name) or (colon and not _MODEL.fullmatch(version)):
            yield (
                f"--model {shown(model)} is not NAME or NAME:VERSION: each is at most 63 letters, digits, dots, "
                "underscores and hyphens, with a letter or digit first."
            )
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"--model {shown(name)} is given twice: an endpoint serves one version of a model."


def _obstacles_of_workspace(values: Values) -> tuple[str, ...]:
    gaps = {path: gap(values[path]) for path in _WORKSPACE.values()}
    found = [f"{path} {why}." for path, why in gaps.items() if why]
    subscription = _WORKSPACE["subscriptionId"]
    if not gaps[subscription] and not _UUID.fullmatch(values[subscription]):
        found.append(
            f"{subscription} is not the ID of a subscription, such as 01234567-89ab-cdef-0123-456789abcdef."
        )
    return (*found, _HINT) if found else ()


# What becomes fields of the spec


def _workspace(values: Values, wanted: Wanted) -> Part:
    place = {name: values[path] for name, path in _WORKSPACE.items()}
    remark = (
        "amlargs.azureMlServicePrincipalPassword is not printed: it was plain text in the values and in the old "
        "Deployment, so make a new one for the Secret, and delete the old one after the switch."
    )
    is_known = values["amlargs.azureMlServicePrincipalPassword"]
    spec = {"workspace": place | {"credentials": {"secretName": wanted.secret}}}
    return Part(spec, (remark,) if is_known else ())


def _models(_: Values, wanted: Wanted) -> Part:
    models = [_model(model) for model in wanted.models]
    return Part({"models": models} if len(models) > 1 else {"model": models[0]})


def _model(text: str) -> Manifest:
    name, _, version = text.partition(":")
    return {"name": name, "version": version or LATEST}


def _replicas(values: Values, _: Wanted) -> Part:
    return Part({} if values["autoscaling.enabled"] else {"replicas": values["replicaCount"]})


def _pods(values: Values, wanted: Wanted) -> Part:
    affinity = values["affinity"]
    follows_pods = "podAffinity" in affinity or "podAntiAffinity" in affinity
    remark = (
        "affinity is as it was: where it chooses pods by the labels of the old chart, write the label "
        f"modelfleet.dev/deployment: {wanted.host} instead."
    )
    return Part({name: values[name] for name in _CARRIED if values[name]}, (remark,) if follows_pods else ())


def _service(values: Values, _: Wanted) -> Part:
    return Part({"service": {"type": values["service.type"], "port": values["service.port"]}})


# What stays behind


def _image(values: Values, _: Wanted) -> Part:
    image = shown(":".join(part for part in (values["image.repository"], values["image.tag"]) if part))
    remark = (
        f"The old image{image and ' '}{image}, with its main-generic.py, is left out: pods run Modelfleet's "
        "server, which serves ONNX models; what Python packages a model needs besides comes with an image built "
        "FROM that server's, in environment.image."
    )
    return Part(remarks=(remark,))


def _pull_policy(values: Values, _: Wanted) -> Part:
    policy = values["image.pullPolicy"]
    remark = (
        f"image.pullPolicy {shown(policy)} is left out: pods use an image that their node has, so name images by "
        "digest, or by tags that never move."
    )
    return Part(remarks=() if policy in {"", "IfNotPresent"} else (remark,))


def _names(values: Values, wanted: Wanted) -> Part:
    stated = {path: values[path] for path in ("fullnameOverride", "nameOverride") if values[path]}
    remarks = [f"{path} {shown(name)} is left out: {_beside(name, wanted)}" for path, name in stated.items()]
    return Part(remarks=tuple(remarks))


def _beside(name: str, wanted: Wanted) -> str:
    if name == wanted.host:
        return (
            "what is printed here has that name too, and the operator leaves alone what it did not make, so "
            "choose another --name, or a namespace without the old release."
        )
    return f"what is printed here is called {wanted.host}, so that it can run beside the old release."


def _service_account(values: Values, wanted: Wanted) -> Part:
    left_out = [path for path in ("serviceAccount.name", "serviceAccount.annotations") if values[path]]
    left_out += [] if values["serviceAccount.create"] else ["serviceAccount.create"]
    remark = f"the operator makes a service account called {wanted.host}, which has no rights in the cluster."
    return Part(remarks=tuple(f"{path} is left out: {remark}" for path in left_out))


def _pod_settings(values: Values, _: Wanted) -> Part:
    reasons = {
        "podAnnotations": "pods carry only what the operator gives them.",
        "podSecurityContext": "pods run as a user without rights in any case, and no process of them can get any.",
        "securityContext": "containers have no capabilities and a read-only file system in any case.",
    }
    return Part(remarks=tuple(f"{path} is left out: {why}" for path, why in reasons.items() if values[path]))


def _ingress(values: Values, wanted: Wanted) -> Part:
    found = [shown(host["host"]) for host in values["ingress.hosts"] if isinstance(host, dict) and "host" in host]
    hosts = " for " + ", ".join(found) if found else ""
    remark = (
        f"ingress{hosts} is left out: write an Ingress of networking.k8s.io/v1 with the Service {wanted.host} and "
        f"its port {values['service.port']} as backend."
    )
    return Part(remarks=(remark,) if values["ingress.enabled"] else ())


_TRANSLATORS: tuple[Callable[[Values, Wanted], Part], ...] = (
    _workspace,
    _models,
    _replicas,
    _pods,
    _service,
    _image,
    _pull_policy,
    _names,
    _service_account,
    _pod_settings,
    _ingress,
)


# What stands beside the resource


def _autoscalers(values: Values, wanted: Wanted) -> Iterator[Manifest]:
    if values["autoscaling.enabled"]:
        bounds = {name: values[f"autoscaling.{name}"] for name in ("minReplicas", "maxReplicas")}
        target = {"apiVersion": API_VERSION, "kind": KIND, "name": wanted.host}
        yield {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": wanted.metadata,
            "spec": {"scaleTargetRef": target, **bounds, "metrics": list(_metrics(values))},
        }


def _metrics(values: Values) -> Iterator[Manifest]:
    for resource, word in (("cpu", "CPU"), ("memory", "Memory")):
        if percentage := values[f"autoscaling.target{word}UtilizationPercentage"]:
            target = {"type": "Utilization", "averageUtilization": percentage}
            yield {"type": "Resource", "resource": {"name": resource, "target": target}}


def _secret_needed(wanted: Wanted) -> str:
    return (
        f"The Secret {wanted.secret} has to be made by you, with the service principal that the old server had in "
        "amlargs: it is only a comment here, so that no secret gets into a file."
    )


def _secret(values: Values, wanted: Wanted) -> str:
    tenant, client = values["amlargs.azureTenantId"], values["amlargs.azureMlServicePrincipalClientId"]
    return f"""\
  apiVersion: v1
  kind: Secret
  metadata:
    {_NEXT.join(f"{name}: {value}" for name, value in (wanted.metadata | {"name": wanted.secret}).items())}
  stringData:
    tenantId: {tenant if _UUID.fullmatch(tenant) else "THE ID OF THE TENANT"}
    clientId: {client if _UUID.fullmatch(client) else "THE ID OF THE SERVICE PRINCIPAL"}
    clientSecret: A NEW SECRET OF THE SERVICE PRINCIPAL"""
