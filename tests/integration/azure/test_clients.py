"""Clients: one for each workspace and credential, made once, closed when nobody uses it any more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from azure.core.exceptions import ClientAuthenticationError

from modelfleet.aml import clients, lookups
from modelfleet.aml.clients import Clients
from modelfleet.core import api
from modelfleet.core.registered import Principal
from tests.integration.azure.conftest import DATASTORE, HOME, PRINCIPAL, SECRET, SHARED, client, failure, resolved
from tests.support.azure.asked import Fault, error
from tests.support.azure.registries import DISCOVERY, Registry
from tests.support.azure.tokens import CLIENT, LOGIN, TENANT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from azure.identity import ClientSecretCredential, WorkloadIdentityCredential

    from tests.support.azure.asked import Asked
    from tests.support.azure.cloud import Cloud
    from tests.support.azure.workspaces import Model

THREADS = 8


def asked_of(azure: Cloud, host: str, method: str) -> list[Asked]:
    return [asked for asked in azure.control.asked if (asked.host, asked.method) == (host, method)]


def other(number: int) -> api.Workspace:
    return replace(HOME, name=f"ml-{number}")


def is_closed(credential: ClientSecretCredential | WorkloadIdentityCredential) -> bool:
    """Whether it can get no tokens any more, but for those that it has."""
    try:
        credential.get_token(f"https://{uuid4()}/.default")
    except ClientAuthenticationError as refused:
        return "already been closed" in str(refused)
    return False


def test_many_questions_of_one_workspace_need_one_token(azure: Cloud, register: Callable[..., Model]) -> None:
    register("azureml://x")
    kept = Clients()

    def ask(_: int) -> str:
        return lookups.latest_version(kept.of(HOME, PRINCIPAL), "claims")

    ask(0)
    with ThreadPoolExecutor(THREADS) as pool:
        assert set(pool.map(ask, range(24))) == {"3"}
    assert len(asked_of(azure, LOGIN, "POST")) == 1


def test_every_workspace_and_every_credential_has_a_client(azure: Cloud) -> None:
    kept = Clients()
    rotated = Principal(TENANT, CLIENT, "another")
    pairs = [(HOME, PRINCIPAL), (other(1), PRINCIPAL), (HOME, rotated)]
    made = [kept.of(*pair) for pair in pairs]
    assert len({id(one) for one in made}) == len(pairs)
    assert [kept.of(*pair) for pair in pairs] == made
    assert azure.control.asked == []


def test_the_discovery_of_a_registry_is_asked_once_by_many_threads(azure: Cloud) -> None:
    azure.control.registries[:] = [Registry("shared", ("demo",), azure.storage.sas)]
    kept = Clients()
    with ThreadPoolExecutor(THREADS) as pool:
        made = list(pool.map(lambda _: kept.of(SHARED, PRINCIPAL), range(THREADS)))
    assert len({id(one) for one in made}) == 1
    assert len(asked_of(azure, DISCOVERY, "GET")) == 1


def test_a_client_that_could_not_be_made_is_made_anew(azure: Cloud) -> None:
    azure.control.registries[:] = [Registry("shared", ("demo",), azure.storage.sas)]
    azure.control.faults = [Fault(DISCOVERY, error(503, "ServiceUnavailable", "not now"), times=1)]
    kept = Clients()
    assert failure(lambda: kept.of(SHARED, PRINCIPAL)).reason == "AzureUnavailable"
    assert kept.of(SHARED, PRINCIPAL) is kept.of(SHARED, PRINCIPAL)


def test_clients_used_longest_ago_are_dropped_and_closed_once_nobody_uses_them(
    azure: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "KEPT", 2)
    kept = Clients()
    first, second = kept.of(HOME, PRINCIPAL), kept.of(other(1), PRINCIPAL)
    kept.of(HOME, PRINCIPAL)
    kept.of(other(2), PRINCIPAL)
    assert kept.of(HOME, PRINCIPAL) is first
    credential = second.credential
    assert not is_closed(credential)
    del second
    assert is_closed(credential)
    assert not is_closed(first.credential)


def test_a_client_that_could_not_be_made_closes_its_credential(
    azure: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    before = clients._credential

    def seen(principal: Principal | None) -> object:
        made.append(before(principal))
        return made[-1]

    monkeypatch.setattr(clients, "_credential", seen)
    assert failure(lambda: client(SHARED)).reason == "WorkspaceNotFound"
    assert is_closed(made[0][0])


def test_without_a_secret_it_is_the_operators_own_identity(
    azure: Cloud, container: str, register: Callable[..., Model], identity: Path
) -> None:
    azure.storage.put(container, "claims/model.onnx", b"content")
    register(f"{DATASTORE}/claims")
    assert resolved(principal=None).files == 1
    (for_arm, for_storage) = (asked.form for asked in asked_of(azure, LOGIN, "POST"))
    assert for_arm["client_assertion"] == for_storage["client_assertion"] == SECRET
    assert for_storage["scope"] == "https://storage.azure.com/.default"


@pytest.mark.parametrize("missing", clients.IDENTITY)
def test_an_operator_without_an_identity_says_what_to_do(
    azure: Cloud, identity: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(missing)
    refused = failure(lambda: client(principal=None))
    assert refused.reason == "CredentialsMissing"
    assert "workspace.credentials.secretName" in str(refused)


def test_nothing_shows_a_secret(azure: Cloud) -> None:
    made = client()
    for shown in (repr(made), str(made), repr(PRINCIPAL), repr(vars(clients))):
        assert SECRET not in shown
