"""Clusters as a fleet manager lists them: ClusterProfiles say where, and the operator's configuration as whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modelfleet.core.inventory import addresses, certificates, fields
from modelfleet.core.inventory.member import (
    Entra,
    Member,
    Origin,
    Refusal,
    Source,
    Unusable,
    labelled_region,
    origin_of,
)
from modelfleet.core.manifest import Manifest, dig

WORKLOAD_IDENTITY = "azure-workload-identity"
SIGN_INS: Mapping[str, Entra] = {WORKLOAD_IDENTITY: Entra()}
"""The ways to sign in that a provider can be mapped to."""

_LOCATION = "location"


def read(profile: Manifest, providers: Mapping[str, str]) -> Member | Refusal:
    """Return the cluster that a ClusterProfile describes, or why it cannot be used.

    `providers` maps the names of access providers to ways to sign in; the first of them that it has is used.
    """
    origin, region = origin_of(Source.CLUSTER_PROFILE, profile), _region(profile)
    name = origin.name
    try:
        name = fields.name(fields.text(profile, "spec", "displayName"), origin.name)
        return _member(profile, providers, name, origin, region)
    except Unusable as error:
        return Refusal(name, origin, region, error.reason, error.message)


def _member(profile: Manifest, providers: Mapping[str, str], name: str, origin: Origin, region: str) -> Member:
    provider, cluster = _access(_offered(profile), list(providers))
    _refuse(cluster)
    return Member(
        name,
        origin,
        region,
        addresses.server(fields.text(cluster, "server")),
        SIGN_INS[providers[provider]],
        certificates.authorities(fields.text(cluster, "certificate-authority-data"), "certificate-authority-data"),
        addresses.server_name(fields.text(cluster, "tls-server-name")),
        addresses.proxy(fields.text(cluster, "proxy-url")),
    )


def _offered(profile: Manifest) -> Mapping[str, Manifest]:
    """Return the clusters by provider; the status has the list under a newer and an older name."""
    entries = fields.items(profile, "status", "accessProviders") or fields.items(
        profile, "status", "credentialProviders"
    )
    names = [fields.text(entry, "name") for entry in entries]
    return {name: fields.mapping(entry, "cluster") for name, entry in zip(names, entries, strict=True)}


def _access(offered: Mapping[str, Manifest], wanted: Sequence[str]) -> tuple[str, Manifest]:
    for name in wanted:
        if name in offered:
            return name, offered[name]
    raise Unusable(
        "ProviderUnknown",
        "Its status has no access provider that is known here: map one with --provider "
        f"NAME={WORKLOAD_IDENTITY}, or wait until its fleet manager has written one.",
    )


def _refuse(cluster: Manifest) -> None:
    if fields.given(cluster, ["insecure-skip-tls-verify"]):
        raise Unusable("InsecureRefused", "insecure-skip-tls-verify: a server that anybody can be is not trusted.")
    if fields.given(cluster, ["certificate-authority"]):
        raise Unusable("FileRefused", "certificate-authority: files are not read.")


def _region(profile: Manifest) -> str:
    """Return the region of the label, else that of the property, else none."""
    properties = dig(profile, "status", "properties")
    entries = properties if isinstance(properties, list) else []
    found = (dig(entry, "value") for entry in entries if dig(entry, "name") == _LOCATION)
    return labelled_region(profile) or next((value for value in found if _is_region(value)), "")


def _is_region(value: object) -> bool:
    """Whether it could have been a label."""
    return isinstance(value, str) and len(value) <= 63 and value.isprintable()
