"""Every way in which nobody answers: the host is named, and what is known of why."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from modelfleet.aml import clients, lookups
from modelfleet.core import errors
from modelfleet.core.registered import Principal
from tests.integration.azure.conftest import PRINCIPAL, SHARED, client, failed, fails_with, resolved
from tests.support.azure.asked import BREAKS_OFF, HANGS_UP, SILENCE, STALLS, Answer
from tests.support.azure.cloud import FAULTY
from tests.support.azure.registries import DISCOVERY
from tests.support.azure.tokens import LOGIN
from tests.support.azure.workspaces import ARM, Model
from tests.support.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.azure.cloud import Cloud

HOSTS = [ARM, LOGIN, FAULTY]


def latest() -> str:
    return lookups.latest_version(client(), "claims")


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("answer", [SILENCE, STALLS], ids=lambda answer: answer.body)
def test_a_host_that_does_not_answer_to_the_end(
    azure: Cloud, model: Model, host: str, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "LIMITS", {**clients.LIMITS, "read_timeout": 0.2})
    fails_with(azure, host, answer)
    failed(resolved, errors.Unreachable, "AzureTimeout", f"No answer came in time from {host}")


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("answer", [HANGS_UP, BREAKS_OFF], ids=lambda answer: answer.body)
def test_a_host_that_hangs_up(azure: Cloud, model: Model, host: str, answer: Answer) -> None:
    fails_with(azure, host, answer)
    failed(resolved, errors.Unreachable, "AzureUnreachable", host, "the connection ended")


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("principal", [PRINCIPAL, None])
def test_a_host_to_which_the_proxy_does_not_lead(
    azure: Cloud,
    identity: Path,
    model: Model,
    host: str,
    principal: Principal | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    routes = {
        pattern: port
        for pattern, port in azure.tunnel.routes.items()
        if pattern not in {host, "*.blob.core.windows.net"}
    }
    monkeypatch.setattr(azure.tunnel, "routes", routes)
    words = (f"There is no connection to {host}", "the proxy does not lead there")
    failed(lambda: resolved(principal=principal), errors.Unreachable, "AzureUnreachable", *words)


def test_a_registry_that_cannot_be_discovered(azure: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(azure.tunnel.routes, DISCOVERY)
    failed(lambda: client(SHARED), errors.Unreachable, "AzureUnreachable", DISCOVERY)


def test_a_proxy_that_is_down(azure: Cloud, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    failed(latest, errors.Unreachable, "AzureUnreachable", LOGIN, "no connection can be made")


def test_a_name_that_cannot_be_resolved(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after the storage account was deleted."""
    look_up = socket.getaddrinfo

    def knows_all_but_one(host: str, *arguments: Any, **named: Any) -> Any:
        if host == FAULTY:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", knows_all_but_one)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, f"127.0.0.1,localhost,{FAULTY}")
    failed(resolved, errors.Unreachable, "AzureUnreachable", FAULTY, "its name cannot be resolved")


def test_a_certificate_that_is_not_trusted(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind a proxy that reads what is sent."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "other.pem"))
    failed(latest, errors.Unreachable, "AzureUnreachable", LOGIN, "its certificate is not trusted")
