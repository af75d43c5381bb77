"""Clusters as Cluster API keeps them: Secrets with a kubeconfig, of which only what is inside counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modelfleet.core.inventory import addresses, certificates, fields
from modelfleet.core.inventory.member import (
    Auth,
    BearerToken,
    Member,
    Origin,
    Refusal,
    Source,
    Unusable,
    labelled_region,
    origin_of,
)
from modelfleet.core.inventory.signin import only
from modelfleet.core.inventory.workload_identity import entra
from modelfleet.core.manifest import Manifest, dig

NAME_LABEL = "cluster.x-k8s.io/cluster-name"
SELECTOR = NAME_LABEL
TYPE = "cluster.x-k8s.io/secret"
SUFFIX = "-kubeconfig"

Parse = Callable[[bytes], Any]
"""Reads YAML; a ValueError says that it is none."""


def is_kubeconfig(secret: Manifest) -> bool:
    """Whether a Secret is a cluster's kubeconfig: certificate authorities have the same type and label."""
    name = origin_of(Source.CLUSTER_API, secret).name
    return dig(secret, "type") == TYPE and name.endswith(SUFFIX)


def read(secret: Manifest, parse: Parse) -> Member | Refusal:
    """Return the cluster that a Secret of Cluster API describes, or why it cannot be used."""
    origin, region = origin_of(Source.CLUSTER_API, secret), labelled_region(secret)
    name = origin.name
    try:
        name = fields.name(fields.text(secret, "metadata", "labels", NAME_LABEL), origin.name)
        return _member(_kubeconfig(fields.secret_data(secret, "value"), parse), name, origin, region)
    except Unusable as error:
        return Refusal(name, origin, region, error.reason, error.message)


def _kubeconfig(payload: bytes, parse: Parse) -> Manifest:
    try:
        config = parse(payload)
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise Unusable("PayloadInvalid", "data.value is no kubeconfig: write one as YAML.")
    return config


def _member(config: Manifest, name: str, origin: Origin, region: str) -> Member:
    context = _named(config, "contexts", "context", fields.text(config, "current-context"))
    cluster = _named(config, "clusters", "cluster", fields.text(context, "cluster"))
    user = _named(config, "users", "user", fields.text(context, "user"))
    _refuse(cluster, user)
    return Member(
        name,
        origin,
        region,
        addresses.server(fields.text(cluster, "server")),
        _auth(user),
        certificates.authorities(fields.text(cluster, "certificate-authority-data"), "certificate-authority-data"),
        addresses.server_name(fields.text(cluster, "tls-server-name")),
        addresses.proxy(fields.text(cluster, "proxy-url")),
    )


def _named(config: Manifest, plural: str, kind: str, name: str) -> Manifest:
    """Return the entry of that name: the only one, for which of two is meant nobody would know."""
    found = [entry for entry in fields.items(config, plural) if dig(entry, "name") == name]
    if not name or len(found) != 1:
        raise Unusable(
            "ContextInvalid", f"The current context of the kubeconfig leads to no {kind} or to several."
        )
    return fields.mapping(found[0], kind)


def _refuse(cluster: Manifest, user: Manifest) -> None:
    if fields.given(cluster, ["insecure-skip-tls-verify"]):
        raise Unusable(
            "InsecureRefused",
            "insecure-skip-tls-verify: a server that anybody can be is not trusted. Write its certificate "
            "authority into certificate-authority-data.",
        )
    in_files = ["client-certificate", "client-key", "tokenFile"]
    if field := fields.given(cluster, ["certificate-authority"]) or fields.given(user, in_files):
        raise Unusable("FileRefused", f"{field}: files are not read. Write what is in it into the kubeconfig.")
    if field := fields.given(user, ["username", "password"]):
        raise Unusable("PasswordRefused", f"{field}: passwords are not used. Write a token.")
    if fields.given(user, ["auth-provider"]):
        raise Unusable("AuthProviderRefused", "auth-provider: Kubernetes has these no more. Write a token.")
    if field := fields.given(user, ["as", "as-uid", "as-groups", "as-user-extra"]):
        sentence = f"{field}: nobody else is acted for. Write the credentials of who is meant."
        raise Unusable("ImpersonationRefused", sentence)


def _auth(user: Manifest) -> Auth:
    ways: list[Auth] = []
    if token := fields.text(user, "token"):
        ways.append(BearerToken(fields.token(token)))
    if fields.given(user, ["client-certificate-data", "client-key-data"]):
        certificate, key = fields.text(user, "client-certificate-data"), fields.text(user, "client-key-data")
        ways.append(certificates.client_certificate(certificate, key, "The client's"))
    if plugin := fields.mapping(user, "exec"):
        variables = {str(dig(entry, "name")): dig(entry, "value") for entry in fields.items(plugin, "env")}
        ways.append(entra(fields.text(plugin, "command"), fields.items(plugin, "args"), variables))
    return only(ways)
