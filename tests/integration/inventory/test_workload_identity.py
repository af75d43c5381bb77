"""A member of Azure is asked with a token that Microsoft Entra gives for the pod's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelfleet.core.errors import Unauthenticated, Unreachable
from modelfleet.core.inventory.member import AKS_SERVER_ID, Entra, Member, Origin, Source
from modelfleet.kube import member
from tests.support.azure import cloud
from tests.support.azure.cloud import Cloud
from tests.support.azure.tokens import CLIENT, TENANT, audience
from tests.unit.kube.faulty import FaultyServer, faulty, says

FEDERATED = "token-of-the-service-account"
NAMESPACE = {"metadata": {"name": "kube-system", "uid": "uid-aks"}}
OTHER = "99999999-9999-9999-9999-999999999999"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud.running(tmp_path_factory.mktemp("azure")) as azure:
        yield azure


@pytest.fixture
def pod(running: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cloud:
    """The Azure around a pod with a workload identity."""
    file = tmp_path / "azure-identity-token"
    file.write_text(FEDERATED)
    own = {"AZURE_CLIENT_ID": OTHER, "AZURE_TENANT_ID": TENANT, "AZURE_FEDERATED_TOKEN_FILE": str(file)}
    for name, value in {**running.environment, **own}.items():
        monkeypatch.setenv(name, value)
    running.control.entra.accepts = {FEDERATED}
    return running


def aks(server: FaultyServer, entra: Entra) -> Member:
    return Member("aks", Origin(Source.CLUSTER_PROFILE, "fleet", "aks"), "", server.url, entra)


@pytest.mark.usefixtures("pod")
@pytest.mark.parametrize("server_id", [AKS_SERVER_ID, OTHER])
async def test_the_token_is_for_the_application_of_the_server(server_id: str) -> None:
    async with (
        faulty(says(200, NAMESPACE)) as server,
        member.connect(aks(server, Entra(CLIENT, TENANT, server_id))) as client,
    ):
        assert await member.identity(client) == "uid-aks"
    assert audience(server.requests[0].headers["Authorization"]) == server_id


async def test_one_token_serves_many_requests(pod: Cloud) -> None:
    pod.control.entra.seen.clear()
    async with faulty(says(200, NAMESPACE)) as server, member.connect(aks(server, Entra())) as client:
        await member.identity(client)
        await member.identity(client)
    assert len({request.headers["Authorization"] for request in server.requests}) == 1
    assert pod.control.entra.seen == {FEDERATED, server.requests[0].headers["Authorization"].split()[1]}


async def test_a_token_that_ends_soon_is_not_used_again(pod: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod.control.entra, "lifetime_s", 60)
    async with faulty(says(200, NAMESPACE)) as server, member.connect(aks(server, Entra())) as client:
        await member.identity(client)
        pod.control.entra.accepts = {"another"}
        with pytest.raises(Unauthenticated):
            await member.identity(client)


async def test_a_refusal_is_told_with_its_code_and_without_the_token(pod: Cloud) -> None:
    pod.control.entra.accepts = {"another"}
    async with faulty(says(200, NAMESPACE)) as server, member.connect(aks(server, Entra(CLIENT))) as client:
        with pytest.raises(Unauthenticated, match=rf"identity {CLIENT} \(AADSTS7000215\)") as caught:
            await member.identity(client)
    assert caught.value.reason == "CredentialsInvalid"
    assert FEDERATED not in str(caught.value)
    assert server.requests == []


@pytest.mark.usefixtures("pod")
async def test_an_authority_that_is_away_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    async with faulty(says(200, NAMESPACE)) as server, member.connect(aks(server, Entra())) as client:
        with pytest.raises(Unreachable, match="Entra cannot be reached"):
            await member.identity(client)
