"""Login plugins of AKS, read as data and never run: both mean the workload identity of a pod."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from modelfleet.core.inventory.member import AKS_SERVER_ID, Entra, Unusable

_LOGIN = "workloadidentity"
_TOKEN_FILE = "/var/run/secrets/azure/tokens/azure-identity-token"  # noqa: S105  a path

# A foreign authority would be shown the token of our service account.
_AUTHORITIES = {
    "AzurePublicCloud": "https://login.microsoftonline.com",
    "AzureUSGovernmentCloud": "https://login.microsoftonline.us",
    "AzureChinaCloud": "https://login.chinacloudapi.cn",
}
_OPTIONS = {
    "--login": "login",
    "-l": "login",
    "--server-id": "server",
    "--client-id": "client",
    "--tenant-id": "tenant",
    "-t": "tenant",
    "--environment": "environment",
    "-e": "environment",
    "--authority-host": "authority",
    "--federated-token-file": "file",
}
_VARIABLES = {
    "AAD_LOGIN_METHOD": "login",
    "AAD_SERVER_APPLICATION_ID": "server",
    "AAD_ENVIRONMENT_NAME": "environment",
    "AZURE_CLIENT_ID": "client",
    "AZURE_TENANT_ID": "tenant",
    "AZURE_AUTHORITY_HOST": "authority",
    "AZURE_FEDERATED_TOKEN_FILE": "file",
}
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_TENANT = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}", re.IGNORECASE | re.ASCII)


def entra(command: str, arguments: Sequence[object], variables: Mapping[str, object]) -> Entra:
    """Return the sign-in that a login plugin stands for; Unusable where it is another."""
    told = {_VARIABLES[name]: _plain(value) for name, value in variables.items() if name in _VARIABLES}
    match command, [_plain(argument) for argument in arguments]:
        case "argocd-k8s-auth", ["azure"]:
            return _entra({"login": _LOGIN, **told})
        case "kubelogin", ["get-token", *options]:
            # It knows no variable for the server; but what it is told by variables wins.
            told.pop("server", None)
            return _entra({**dict(_options(options)), **told})
    raise Unusable(
        "ExecRefused",
        "A command that is to be run for a token: none is. Of AKS, argocd-k8s-auth azure and kubelogin get-token "
        "--login workloadidentity are understood; for any other cluster write a token or a client certificate.",
    )


def _options(arguments: list[str]) -> Iterator[tuple[str, str]]:
    rest = iter(arguments)
    for argument in rest:
        option, is_joined, value = argument.partition("=")
        if option not in _OPTIONS:
            known = ", ".join(option for option in _OPTIONS if option.startswith("--"))
            raise Unusable("ExecRefused", f"An option of kubelogin that is not understood: only {known} are.")
        yield _OPTIONS[option], value if is_joined else next(rest, "")


def _entra(told: Mapping[str, str]) -> Entra:
    if told.get("login") != _LOGIN:
        raise Unusable("ExecRefused", f"A login of Azure that is not understood: only {_LOGIN} is.")
    if told.get("file", "") not in {"", _TOKEN_FILE}:
        raise Unusable(
            "FileRefused",
            "A token file of another place: leave AZURE_FEDERATED_TOKEN_FILE out, the operator's own is used.",
        )
    return Entra(
        _matching(_ID, told.get("client", ""), "The client id"),
        _matching(_TENANT, told.get("tenant", ""), "The tenant id"),
        _matching(_ID, told.get("server", ""), "The server id") or AKS_SERVER_ID,
        _authority(told),
    )


def _authority(told: Mapping[str, str]) -> str:
    """Return who gives tokens; empty means whoever does so for this pod."""
    environment, authority = told.get("environment", ""), told.get("authority", "").rstrip("/")
    found = authority or _AUTHORITIES.get(environment, environment)
    if found and found not in _AUTHORITIES.values():
        known = ", ".join(_AUTHORITIES.values())
        raise Unusable("AuthorityRefused", f"An authority that is none of Microsoft Entra: write one of {known}.")
    return found


def _matching(pattern: re.Pattern[str], value: str, what: str) -> str:
    if value and not pattern.fullmatch(value):
        raise Unusable("FieldInvalid", f"{what} of Azure is none: write it as the portal shows it.")
    return value


def _plain(value: object) -> str:
    """Return a text; what is none matches nothing."""
    return value if isinstance(value, str) else "\0"
