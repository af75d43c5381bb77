"""Clusters as Argo CD keeps them: Secrets with a name, an address, and a configuration in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from modelfleet.core.inventory import addresses, certificates, fields
from modelfleet.core.inventory.member import (
    Auth,
    BearerToken,
    Hub,
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

SELECTOR = "argocd.argoproj.io/secret-type=cluster"
SKIP = "argocd.argoproj.io/skip-reconcile"
IN_CLUSTER = "https://kubernetes.default.svc"


def read(secret: Manifest) -> Member | Refusal:
    """Return the cluster that a Secret of Argo CD describes, or why it cannot be used."""
    origin, region = origin_of(Source.ARGOCD, secret), labelled_region(secret)
    name = origin.name
    try:
        name = fields.name(_text(secret, "name"), origin.name)
        return _member(secret, name, origin, region)
    except Unusable as error:
        return Refusal(name, origin, region, error.reason, error.message)


def _member(secret: Manifest, name: str, origin: Origin, region: str) -> Member:
    if dig(secret, "metadata", "annotations", SKIP) == "true":
        raise Unusable("Skipped", f"Its annotation {SKIP} is true: remove it to have the cluster used again.")
    server = addresses.server(_text(secret, "server"))
    if server == IN_CLUSTER:
        return Member(name, origin, region, server, Hub())
    config = _config(fields.secret_data(secret, "config"))
    tls = fields.mapping(config, "tlsClientConfig")
    _refuse(config, tls)
    return Member(
        name,
        origin,
        region,
        server,
        _auth(config, tls),
        certificates.authorities(fields.text(tls, "caData"), "tlsClientConfig.caData"),
        addresses.server_name(fields.text(tls, "serverName")),
        addresses.proxy(fields.text(config, "proxyUrl")),
    )


def _text(secret: Manifest, key: str) -> str:
    return fields.secret_data(secret, key).decode(errors="replace")


def _config(payload: bytes) -> Mapping[str, Any]:
    try:
        config = json.loads(payload or b"{}")
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise Unusable("PayloadInvalid", "data.config is no JSON object: write it as Argo CD documents it.")
    return config


def _refuse(config: Mapping[str, Any], tls: Mapping[str, Any]) -> None:
    if fields.given(tls, ["insecure"]):
        raise Unusable(
            "InsecureRefused",
            "tlsClientConfig.insecure: a server that anybody can be is not trusted. Write its certificate "
            "authority into caData.",
        )
    if field := fields.given(config, ["username", "password"]):
        raise Unusable("PasswordRefused", f"{field}: passwords are not used. Write a bearerToken.")
    if fields.given(config, ["awsAuthConfig"]):
        raise Unusable("AwsRefused", "awsAuthConfig: AWS is not known here. Write a bearerToken.")
    if field := fields.given(config, ["bearerTokenFile"]) or fields.given(tls, ["caFile", "certFile", "keyFile"]):
        raise Unusable("FileRefused", f"{field}: files are not read. Write what is in it into the Secret.")


def _auth(config: Mapping[str, Any], tls: Mapping[str, Any]) -> Auth:
    ways: list[Auth] = []
    if token := fields.text(config, "bearerToken"):
        ways.append(BearerToken(fields.token(token)))
    if fields.given(tls, ["certData", "keyData"]):
        certificate, key = fields.text(tls, "certData"), fields.text(tls, "keyData")
        ways.append(certificates.client_certificate(certificate, key, "The client's"))
    if plugin := fields.mapping(config, "execProviderConfig"):
        arguments, variables = fields.items(plugin, "args"), fields.mapping(plugin, "env")
        ways.append(entra(fields.text(plugin, "command"), arguments, variables))
    return only(ways)
