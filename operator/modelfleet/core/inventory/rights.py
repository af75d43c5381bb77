"""What an operator has to be allowed in a member cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Right:
    """One verb for one resource type; with a name, for the one object of that name."""

    verb: str
    group: str
    resource: str
    name: str = ""

    def __str__(self) -> str:
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {kind} {self.name}".rstrip()


_OWN = ("get", "list", "watch", "create", "patch", "delete")

# As the operator's role in manifests/base/rbac.yaml has it, but for what only the hub has: ModelDeployments, their
# Events and the Lease. What goes there by its owner reference has to be deleted here.
_RESOURCES = {
    ("apps", "deployments"): _OWN,
    ("", "serviceaccounts"): _OWN,
    ("", "services"): _OWN,
    ("gateway.networking.k8s.io", "httproutes"): _OWN,
    ("", "configmaps"): _OWN,
    ("policy", "poddisruptionbudgets"): _OWN,
    ("networking.k8s.io", "networkpolicies"): _OWN,
    ("", "secrets"): _OWN,
    ("", "pods"): ("list", "watch"),
    ("", "pods/proxy"): ("get",),
    ("autoscaling", "horizontalpodautoscalers"): ("list", "watch"),
}

IDENTITY = Right("get", "", "namespaces", "kube-system")
"""By which a cluster is told from others; the hub has no need of it."""


def needed() -> Iterator[Right]:
    """Yield all rights that are needed in a member, in any namespace that has models."""
    yield IDENTITY
    for (group, resource), verbs in _RESOURCES.items():
        for verb in verbs:
            yield Right(verb, group, resource)


def described(rights: list[Right]) -> list[str]:
    """Return the rights for people: one line for each resource type, with its verbs."""
    verbs: dict[str, list[str]] = {}
    for right in rights:
        verbs.setdefault(str(right).removeprefix(f"{right.verb} "), []).append(right.verb)
    return [f"{kind}: {', '.join(told)}" for kind, told in verbs.items()]
