"""How a hub gets into a member: the account and the rights that it has there, and what the hub notes of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from modelfleet.core import names
from modelfleet.core.inventory import addresses, argocd, rights
from modelfleet.core.inventory.member import REGION_LABEL, Hub, Member, Refusal, Unusable
from modelfleet.core.inventory.rights import Right
from modelfleet.core.manifest import Manifest, dig

MANAGER = "modelfleet-join"
NAMESPACE = "modelfleet-system"
ACCOUNT = "modelfleet-hub"
IDENTITY_ROLE = "modelfleet-hub-identity"
TOKEN_SECRET = "modelfleet-hub-token"  # noqa: S105  a name
SELECTOR = f"{names.MANAGED_BY}={MANAGER}"

_RBAC = "rbac.authorization.k8s.io"
_LABELS = {names.MANAGED_BY: MANAGER}


@dataclass(frozen=True, slots=True)
class Way:
    """How a member is reached: `ca` is PEM in base64, and empty where the system's authorities are trusted."""

    server: str
    ca: str = ""
    server_name: str = ""
    proxy: str = ""
    is_insecure: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """A member as the hub is to know it."""

    name: str
    namespace: str
    region: str
    way: Way

    @property
    def secret(self) -> str:
        """The name of its Secret in the hub."""
        return f"cluster-{self.name}"


def seen_from_the_hub(way: Way, server: str) -> Way:
    """Return the way that the hub has, with a server of its own if one is given; Unusable where it has none."""
    if way.is_insecure:
        raise Unusable(
            "InsecureRefused",
            "insecure-skip-tls-verify: a server that anybody can be is not trusted. Write its certificate "
            "authority into certificate-authority-data.",
        )
    # An administrator's proxy is on the way to the address that the administrator has, and on no other.
    seen = replace(way, server=addresses.server(server or way.server), proxy="" if server else way.proxy)
    if not server and _is_of_this_machine(seen.server):
        raise Unusable(
            "AddressRefused", f"{seen.server} is this machine's own: say with --server how the hub reaches it."
        )
    return seen


def account() -> list[dict[str, Any]]:
    """Return what the hub is in a member: an account, in a namespace of its own."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {**_object("v1", "ServiceAccount", ACCOUNT, NAMESPACE), "automountServiceAccountToken": False},
    ]


def token() -> dict[str, Any]:
    """Return the Secret into which the member writes a token of the account."""
    secret = _object("v1", "Secret", TOKEN_SECRET, NAMESPACE)
    secret["metadata"]["annotations"] = {"kubernetes.io/service-account.name": ACCOUNT}
    return {**secret, "type": "kubernetes.io/service-account-token"}


def token_in(secret: Manifest, account_uid: str) -> str:
    """Return the token that a member has written for its account, or nothing as long as there is none."""
    if dig(secret, "metadata", "annotations", "kubernetes.io/service-account.uid") != account_uid:
        return ""
    return base64.b64decode(dig(secret, "data", "token") or "").decode(errors="replace")


def grants(namespaces: Sequence[str]) -> list[dict[str, Any]]:
    """Return what the account may do: in these namespaces, or without any in all."""
    needed = [right for right in rights.needed() if right != rights.IDENTITY]
    return [
        _role(ACCOUNT, needed),
        _role(IDENTITY_ROLE, [rights.IDENTITY]),
        _binding(IDENTITY_ROLE, ""),
        *(_binding(ACCOUNT, namespace) for namespace in namespaces or [""]),
    ]


def surplus(found: Iterable[Manifest], wanted: Iterable[Manifest]) -> Iterator[Manifest]:
    """Yield what gives the account more than is wanted now."""
    kept = {_key(manifest) for manifest in wanted}
    return (manifest for manifest in found if _key(manifest) not in kept)


def description(member: Joined, token: str) -> dict[str, Any]:
    """Return the Secret that describes the member in the hub; Unusable where it could not be used there."""
    secret = _object("v1", "Secret", member.secret, member.namespace)
    region = {REGION_LABEL: member.region} if member.region else {}
    secret["metadata"]["labels"] |= {"argocd.argoproj.io/secret-type": "cluster", **region}
    config = json.dumps(_config(member.way, token), sort_keys=True)
    data = {"name": member.name, "server": member.way.server, "config": config}
    secret["data"] = {key: _base64(value) for key, value in data.items()}
    _refuse_unusable(secret)
    return secret


def refuse_others(member: Joined, secrets: Iterable[Manifest]) -> None:
    """Refuse what is another's: the Secret of that name, or a cluster that another Secret describes already."""
    for secret in secrets:
        name, found = dig(secret, "metadata", "name"), argocd.read(secret)
        if name == member.secret:
            _refuse_foreign(member, secret)
        elif found.name == member.name or _server(found) == member.way.server:
            raise Unusable(
                "Described",
                f"The Secret {member.namespace}/{name} describes a cluster of this name or address already: use "
                "that one, or have the hub's members in a namespace of their own.",
            )


def _is_of_this_machine(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _server(found: Member | Refusal) -> str:
    return found.server if isinstance(found, Member) else ""


def _refuse_foreign(member: Joined, secret: Manifest) -> None:
    place = f"{member.namespace}/{member.secret}"
    if dig(secret, "metadata", "labels", names.MANAGED_BY) != MANAGER:
        raise Unusable(
            "Foreign", f"The Secret {place} was made by somebody else and is left alone: join by another name."
        )
    if dig(secret, "data", "server") != _base64(member.way.server):
        raise Unusable(
            "OtherServer",
            f"The Secret {place} leads to another server: delete it if the cluster has moved, or join by another "
            "name.",
        )


def _refuse_unusable(secret: Manifest) -> None:
    """Read it as every reader will."""
    match argocd.read(secret):
        case Refusal(reason=reason, message=message):
            raise Unusable(reason, message)
        case found if isinstance(found.auth, Hub):
            raise Unusable("ServerInvalid", f"{found.server} is another one in each cluster: say --server.")


def _config(way: Way, token: str) -> Manifest:
    tls = {"caData": way.ca, "serverName": way.server_name}
    config = {"bearerToken": token, "proxyUrl": way.proxy, "tlsClientConfig": _given(tls)}
    return _given(config)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _given(fields: Manifest) -> Manifest:
    return {name: value for name, value in fields.items() if value}


def _role(name: str, allowed: Iterable[Right]) -> dict[str, Any]:
    verbs: dict[tuple[str, str, str], list[str]] = {}
    for right in allowed:
        verbs.setdefault((right.group, right.resource, right.name), []).append(right.verb)
    rules = [
        {
            "apiGroups": [group],
            "resources": [resource],
            "verbs": told,
            **({"resourceNames": [only]} if only else {}),
        }
        for (group, resource, only), told in verbs.items()
    ]
    return {**_object(f"{_RBAC}/v1", "ClusterRole", name), "rules": rules}


def _binding(role: str, namespace: str) -> dict[str, Any]:
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    return {
        **_object(f"{_RBAC}/v1", kind, role, namespace),
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}],
    }


def _object(api_version: str, kind: str, name: str, namespace: str = "") -> dict[str, Any]:
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **place, "labels": dict(_LABELS)}}


def _key(manifest: Manifest) -> tuple[object, ...]:
    return tuple(dig(manifest, *path) for path in (("kind",), ("metadata", "namespace"), ("metadata", "name")))
