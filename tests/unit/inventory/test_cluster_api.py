"""Cluster API's kubeconfigs become members, by what is inside of them and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from modelfleet.core.inventory import cluster_api
from modelfleet.core.inventory.member import BearerToken, ClientCertificate, Entra, Member, Refusal
from modelfleet.kube.inventory import parse
from tests.unit.inventory.descriptions import (
    CERT,
    CLIENT,
    KEY,
    REGION,
    SERVER,
    TENANT,
    TOKEN,
    cluster_api_secret,
    kubeconfig,
)

LOGIN = ["get-token", "--login", "workloadidentity", "--server-id", CLIENT, "--client-id", CLIENT, "-t", TENANT]


def member(user: object = None, cluster: dict[str, Any] | None = None, **labels: Any) -> Member:
    found = cluster_api.read(cluster_api_secret(kubeconfig(user, cluster), **labels), parse)
    assert isinstance(found, Member), found
    return found


def refusal(config: object = None, raw: bytes | None = None) -> Refusal:
    found = cluster_api.read(cluster_api_secret(config, raw=raw), parse)
    assert isinstance(found, Refusal), found
    assert TOKEN not in repr(found)
    return found


def plugin(command: str, *args: object, env: object = None) -> dict[str, Any]:
    return {
        "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "args": args, "env": env}
    }


def test_the_current_context_becomes_a_member() -> None:
    found = member(**REGION)
    assert (found.name, str(found.origin)) == ("west", "ClusterAPI clusters/west-kubeconfig")
    assert (found.region, found.server, found.auth) == ("westeurope", SERVER, BearerToken(TOKEN))
    assert found.ca


def test_a_client_certificate_is_taken_with_its_key() -> None:
    assert isinstance(member({"client-certificate-data": CERT, "client-key-data": KEY}).auth, ClientCertificate)


def test_everything_else_that_leads_there_is_taken() -> None:
    found = member(cluster={"tls-server-name": "api.west.example", "proxy-url": "http://proxy.example:3128"})
    assert (found.server_name, found.proxy) == ("api.west.example", "http://proxy.example:3128")


def test_what_is_off_is_as_if_it_was_not_there() -> None:
    user: dict[str, object] = {"token": TOKEN, "tokenFile": "", "username": None, "as-groups": []}
    assert member(user, {"insecure-skip-tls-verify": False})


def test_a_token_of_digits_is_a_text() -> None:
    raw = b"""{"current-context": a, "contexts": [{"name": a, "context": {"cluster": a, "user": a}}],
        "clusters": [{"name": a, "cluster": {"server": "https://a"}}],
        "users": [{"name": a, "user": {"token": 017}}]}"""
    found = cluster_api.read(cluster_api_secret(raw=raw), parse)
    assert isinstance(found, Member)
    assert found.auth == BearerToken("017")


def test_kubelogin_with_workload_identity_is_understood_and_not_run() -> None:
    assert member(plugin("kubelogin", *LOGIN)).auth == Entra(CLIENT, TENANT, CLIENT)


def test_variables_of_kubelogin_are_read_too() -> None:
    env = [{"name": "AAD_LOGIN_METHOD", "value": "workloadidentity"}, {"name": "AZURE_CLIENT_ID", "value": CLIENT}]
    assert member(plugin("kubelogin", "get-token", env=env)).auth == Entra(CLIENT)


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        (plugin("/bin/sh", "-c", "id"), "ExecRefused"),
        (plugin("aws", "eks", "get-token"), "ExecRefused"),
        (plugin("kubelogin", "get-token", "--login", "devicecode"), "ExecRefused"),
        (plugin("kubelogin", "get-token"), "ExecRefused"),
        (plugin("kubelogin", "remove-tokens"), "ExecRefused"),
        (plugin("kubelogin", *LOGIN, "--client-secret", TOKEN), "ExecRefused"),
        (plugin("kubelogin", *LOGIN, "--federated-token-file", "/etc/shadow"), "FileRefused"),
        (plugin("kubelogin", *LOGIN, "--authority-host", "https://evil.example"), "AuthorityRefused"),
        (plugin("kubelogin", *LOGIN, env=[{"name": "AZURE_AUTHORITY_HOST", "value": "evil"}]), "AuthorityRefused"),
        (plugin("kubelogin", *LOGIN, "--server-id", "https://management.azure.com"), "FieldInvalid"),
        (plugin("kubelogin", *LOGIN, 17), "ExecRefused"),
        ({"tokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token"}, "FileRefused"),
        ({"client-certificate": "/etc/tls.crt", "client-key": "/etc/tls.key"}, "FileRefused"),
        ({"username": "admin", "password": TOKEN}, "PasswordRefused"),
        ({"auth-provider": {"name": "azure"}}, "AuthProviderRefused"),
        ({"token": TOKEN, "as": "system:admin"}, "ImpersonationRefused"),
        ({"token": TOKEN, "as-groups": ["system:masters"]}, "ImpersonationRefused"),
        ({"token": TOKEN, "client-certificate-data": CERT, "client-key-data": KEY}, "CredentialsAmbiguous"),
        ({}, "CredentialsMissing"),
        ("admin", "FieldInvalid"),
    ],
)
def test_a_user_that_cannot_be_used_is_refused_for_its_reason(user: object, reason: str) -> None:
    assert refusal(kubeconfig(user)).reason == reason


@pytest.mark.parametrize(
    ("cluster", "reason"),
    [
        ({"insecure-skip-tls-verify": True}, "InsecureRefused"),
        ({"insecure-skip-tls-verify": "true"}, "InsecureRefused"),
        ({"certificate-authority": "/etc/ca.crt"}, "FileRefused"),
        ({"server": None}, "ServerMissing"),
        ({"server": "http://west.example"}, "ServerNotHttps"),
    ],
)
def test_a_cluster_that_cannot_be_used_is_refused_for_its_reason(cluster: dict[str, Any], reason: str) -> None:
    assert refusal(kubeconfig(cluster=cluster)).reason == reason


@pytest.mark.parametrize(
    "changes",
    [
        {"current-context": "other"},
        {"current-context": None},
        {"clusters": []},
        {"users": None},
        {"contexts": [{"name": "admin@west", "context": {}}] * 2},
        {"contexts": ["admin@west"]},
    ],
)
def test_a_context_that_leads_nowhere_is_refused(changes: dict[str, Any]) -> None:
    assert refusal(kubeconfig(**changes)).reason == "ContextInvalid"


@pytest.mark.parametrize(
    "raw", [b"", b"text", b"- a", b"a: [", b"a: 1\n---\nb: 2", b"\x00", f"{{{TOKEN}: *x}}".encode()]
)
def test_what_is_no_kubeconfig_is_refused(raw: bytes) -> None:
    assert refusal(raw=raw).reason == "PayloadInvalid"


def test_other_secrets_of_the_same_cluster_are_no_kubeconfigs() -> None:
    secret = cluster_api_secret()
    assert cluster_api.is_kubeconfig(secret)
    assert not cluster_api.is_kubeconfig(secret | {"type": "Opaque"})
    assert not cluster_api.is_kubeconfig(secret | {"metadata": {"namespace": "clusters", "name": "west-ca"}})
