"""Whatever a description holds, reading it ends with a member or a refusal, and what is secret stays in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from modelfleet.core.inventory import argocd, cluster_api, cluster_profile
from modelfleet.core.inventory.member import Member, Refusal
from modelfleet.kube.inventory import parse
from tests.unit.inventory import descriptions
from tests.unit.inventory.descriptions import CA, CERT, KEY, SERVER, argocd_secret, b64, cluster_api_secret

PLANTED = "planted-secret"
NAMES = [
    *("bearerToken", "tlsClientConfig", "caData", "certData", "keyData", "insecure", "serverName", "proxyUrl"),
    *("execProviderConfig", "command", "args", "env", "username", "password", "awsAuthConfig", "server"),
    *("current-context", "contexts", "context", "clusters", "cluster", "users", "user", "name", "value", "token"),
    *("exec", "client-key-data", "client-certificate-data", "certificate-authority-data", "auth-provider", "as"),
    *("status", "spec", "metadata", "labels", "annotations", "properties", "accessProviders", "data", "config"),
]
VALUES = [
    *(PLANTED, SERVER, "west", "fleet", "location", CA, CERT, KEY),
    *("kubelogin", "get-token", "azure", "true", "2001-99-99"),
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(VALUES)
AKS_LOGIN = {"command": "argocd-k8s-auth", "args": ["azure"]}
FIELDS = st.sampled_from(NAMES) | st.text()
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=6),
)
READERS: list[Callable[[Any], Member | Refusal]] = [
    argocd.read,
    lambda secret: cluster_api.read(secret, parse),
    lambda profile: cluster_profile.read(profile, {"fleet": "azure-workload-identity"}),
]


def outcome(found: Member | Refusal) -> Member | Refusal:
    """What was found; it is well-formed, and shows nothing that was planted."""
    assert isinstance(found, Member | Refusal)
    if isinstance(found, Refusal):
        assert re.fullmatch(r"[A-Z][A-Za-z]+", found.reason)
        assert re.fullmatch(r"[A-Za-z-].*\.", found.message)
        assert PLANTED not in found.message
    return found


@given(JSON)
def test_no_object_breaks_a_reader(thing: Any) -> None:
    for read in READERS:
        outcome(read(thing))


@given(JSON)
def test_no_configuration_of_argo_cd_breaks_the_reader(config: Any) -> None:
    outcome(argocd.read(argocd_secret(raw=json.dumps(config).encode())))


@given(st.binary())
def test_no_bytes_break_the_readers_of_secrets(raw: bytes) -> None:
    outcome(argocd.read(argocd_secret(raw=raw)))
    outcome(cluster_api.read(cluster_api_secret(raw=raw), parse))


@given(st.text(alphabet="{}[]:,-&*!|>?%@`\"'#<~ \n\tab01"))
def test_no_yaml_breaks_the_reader(text: str) -> None:
    outcome(cluster_api.read(cluster_api_secret(raw=text.encode()), parse))


@given(JSON, JSON)
def test_no_user_or_cluster_of_a_kubeconfig_breaks_the_reader(user: Any, cluster: Any) -> None:
    config = descriptions.kubeconfig() | {
        "users": [{"name": "admin", "user": user}],
        "clusters": [{"name": "west", "cluster": cluster}],
    }
    outcome(cluster_api.read(cluster_api_secret(raw=json.dumps(config).encode()), parse))


@given(st.sampled_from(sorted(argocd_secret()["data"])), JSON)
def test_no_value_that_is_no_base64_breaks_the_reader(key: str, value: Any) -> None:
    secret = argocd_secret()
    secret["data"][key] = value
    outcome(argocd.read(secret))


@given(JSON)
def test_no_status_of_a_profile_breaks_the_reader(entry: Any) -> None:
    profile = descriptions.cluster_profile()
    profile["status"] = {"accessProviders": [{"name": "fleet", "cluster": entry}, entry], "properties": [entry]}
    outcome(cluster_profile.read(profile, {"fleet": "azure-workload-identity"}))


@pytest.mark.parametrize(
    "config",
    [
        {"bearerToken": f"{PLANTED}\n"},
        {"bearerToken": PLANTED, "username": PLANTED, "password": PLANTED},
        {"bearerToken": PLANTED, "proxyUrl": f"http://{PLANTED}@proxy"},
        {"bearerToken": PLANTED, "tlsClientConfig": {"serverName": f"{PLANTED} "}},
        {"bearerToken": PLANTED, "tlsClientConfig": {"caData": PLANTED}},
        {"bearerToken": PLANTED, "tlsClientConfig": {"certData": CERT, "keyData": b64(PLANTED)}},
        {"execProviderConfig": {"command": PLANTED, "args": [PLANTED], "env": {PLANTED: PLANTED}}},
        {"execProviderConfig": {"command": "kubelogin", "args": ["get-token", f"--{PLANTED}"]}},
        {"execProviderConfig": {**AKS_LOGIN, "env": {"AZURE_CLIENT_ID": PLANTED}}},
        {"execProviderConfig": {**AKS_LOGIN, "env": {"AZURE_TENANT_ID": f"{PLANTED} "}}},
        {"execProviderConfig": {**AKS_LOGIN, "env": {"AZURE_FEDERATED_TOKEN_FILE": PLANTED}}},
    ],
)
def test_no_refusal_shows_what_was_written(config: Any) -> None:
    found = outcome(argocd.read(argocd_secret(config)))
    assert isinstance(found, Refusal)
    assert PLANTED not in repr(found)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"A" * 65 * 1024, "CertificateTooLarge"), (b"A" * 700 * 1024, "CertificateTooLarge")],
)
def test_a_large_certificate_is_refused(content: bytes, reason: str) -> None:
    found = argocd.read(argocd_secret({"bearerToken": PLANTED, "tlsClientConfig": {"caData": b64(content)}}))
    assert isinstance(found, Refusal)
    assert found.reason == reason


def test_a_large_payload_is_refused_before_it_is_read() -> None:
    ten = b64(b"A" * 10 * 1024 * 1024)
    tls = {"bearerToken": PLANTED, "tlsClientConfig": {"caData": ten}}
    cluster = {"certificate-authority-data": ten}
    found = [
        argocd.read(argocd_secret(tls)),
        cluster_api.read(cluster_api_secret(raw=json.dumps(cluster).encode()), parse),
        cluster_profile.read(descriptions.cluster_profile(cluster), {"fleet": "azure-workload-identity"}),
    ]
    reasons = [one.reason for one in found if isinstance(one, Refusal)]
    assert reasons == ["PayloadTooLarge", "PayloadTooLarge", "CertificateTooLarge"]


@pytest.mark.parametrize("unit", [b"[", b'{"a":', b"- ", b"? ", b"[a,", b"!a [", b"&a ["])
def test_deep_nesting_is_refused(unit: bytes) -> None:
    raw = unit * (900_000 // len(unit))
    for found in (argocd.read(argocd_secret(raw=raw)), cluster_api.read(cluster_api_secret(raw=raw), parse)):
        assert isinstance(found, Refusal)
        assert found.reason == "PayloadInvalid"


def test_references_to_references_do_not_grow() -> None:
    lines = ["a0: &a0 {x: y}", *(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 30))]
    found = cluster_api.read(cluster_api_secret(raw="\n".join(lines).encode()), parse)
    assert isinstance(found, Refusal)
    assert found.reason == "ContextInvalid"


def test_yaml_makes_no_objects() -> None:
    raw = b"!!python/object/apply:os.system [id]"
    found = cluster_api.read(cluster_api_secret(raw=raw), parse)
    assert isinstance(found, Refusal)
    assert found.reason == "PayloadInvalid"


def test_a_certificate_or_key_that_wants_a_password_is_refused() -> None:
    """OpenSSL would ask for it on the terminal, and wait."""
    header = b"-----BEGIN %b-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END %b-----\n"
    certificate, key = (b64(header % (kind, kind)) for kind in (b"CERTIFICATE", b"EC PRIVATE KEY"))
    certificates = {"certData": certificate, "keyData": KEY}, {"certData": CERT, "keyData": key}
    for tls, reason in zip(certificates, ("CertificateInvalid", "KeyInvalid"), strict=True):
        found = argocd.read(argocd_secret({"tlsClientConfig": tls}))
        assert isinstance(found, Refusal)
        assert found.reason == reason


def test_what_yaml_shows_of_a_document_is_not_in_the_error() -> None:
    with pytest.raises(ValueError, match="no YAML") as caught:
        parse(f"token: {PLANTED}\n  bad: [".encode())
    assert PLANTED not in str(caught.value)
    assert caught.value.__context__ is None
    assert yaml.__with_libyaml__, "the rest of this file is about libyaml's binding"
