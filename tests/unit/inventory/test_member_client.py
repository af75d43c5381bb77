"""What a member answers is believed as little as what describes it: an answer ends, and fits, or is none."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace

import pytest
import trustme
from aiohttp import web

from modelfleet.core.errors import (
    Conflict,
    Forbidden,
    ModelfleetError,
    Unauthenticated,
    Unavailable,
    Unreachable,
    Unsupported,
)
from modelfleet.core.inventory import argocd
from modelfleet.core.inventory.member import BearerToken, ClientCertificate, Entra, Member, Origin, Source
from modelfleet.core.inventory.rights import IDENTITY, Right
from modelfleet.kube import member
from tests.unit.inventory import descriptions
from tests.unit.inventory.descriptions import CERT_PEM, KEY_PEM, TLS, argocd_secret
from tests.unit.kube.faulty import Answer, faulty, hangs, says, streams

ORIGIN = Origin(Source.ARGOCD, "argocd", "west")
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": "uid-west"}}


def at(server: str) -> Member:
    return Member("west", ORIGIN, "", server, BearerToken("t"))


async def identity(answer: Answer) -> str:
    async with faulty(answer) as server, member.connect(at(server.url), total_s=0.5) as client:
        return await member.identity(client)


async def test_a_cluster_is_known_by_the_uid_of_its_kube_system() -> None:
    assert await identity(says(200, NAMESPACE)) == "uid-west"


async def test_the_token_is_sent() -> None:
    async with faulty(says(200, NAMESPACE)) as server, member.connect(at(server.url)) as client:
        await member.identity(client)
    (request,) = server.requests
    assert (request.headers["Authorization"], request.path) == ("Bearer t", "/api/v1/namespaces/kube-system")


async def endless(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


async def trickle(request: web.BaseRequest) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (hangs, Unreachable),
        (trickle, Unreachable),
        (streams('{"metadata": ', then="hang"), Unreachable),
        (streams('{"metadata": ', then="break"), Unreachable),
        (says(200, "[" * 1_000_000), Unavailable),
        (says(200, '{"a":' * 200_000), Unavailable),
        (says(200, "<html>sign in</html>"), Unavailable),
        (says(200, {"metadata": {"uid": 17}}), Unavailable),
        (says(200, {"metadata": "uid"}), Unavailable),
        (says(200, {}), Unavailable),
        (says(404, {"kind": "Status"}), Unavailable),
        (says(302, {}, Location="http://169.254.169.254/"), Unavailable),
        (says(401, {}), Unauthenticated),
        (says(403, {"reason": "Forbidden", "message": "no"}), Forbidden),
        (says(403, {"reason": ["Forbidden"], "message": {"no": "text"}}), Forbidden),
        (says(500, "[" * 1_000_000), Unavailable),
        (says(409, {"details": ["causes"]}), Conflict),
        (says(409, {"details": {"causes": ["text", {"reason": []}]}}), Conflict),
    ],
)
async def test_whatever_a_member_answers_it_is_an_error_of_ours(
    answer: Answer, expected: type[ModelfleetError]
) -> None:
    with pytest.raises(expected):
        await identity(answer)


async def test_an_answer_without_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member, "ANSWER_BYTES", 1024 * 1024)
    async with faulty(endless) as server, member.connect(at(server.url)) as client:
        with pytest.raises(Unavailable, match="larger than 1048576 bytes"):
            await member.identity(client)


async def test_a_server_that_is_not_the_one_meant_is_not_spoken_to() -> None:
    """Its certificate is of another authority than the description's."""
    found = argocd.read(argocd_secret({"bearerToken": "t", "tlsClientConfig": TLS}, server="https://127.0.0.1:1"))
    assert isinstance(found, Member)
    seen: list[bytes] = []

    async def heard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.read())

    impostor = trustme.CA().issue_cert("127.0.0.1")
    server = await asyncio.start_server(heard, "127.0.0.1", 0, ssl=_serving(impostor))
    port = server.sockets[0].getsockname()[1]
    async with server, member.connect(replace(found, server=f"https://127.0.0.1:{port}")) as client:
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            await member.identity(client)
    assert seen == []


def _serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def test_a_key_of_another_certificate_is_refused_without_a_word_of_it() -> None:
    other = trustme.CA().issue_cert("other.example").private_key_pem.bytes().decode()
    auth = ClientCertificate(CERT_PEM.decode(), other)
    with pytest.raises(Unsupported, match="not that of its certificate") as caught:
        member.connect(replace(at("https://west.example"), auth=auth))
    assert caught.value.reason == "KeyInvalid"
    assert caught.value.__context__ is None


async def test_the_key_of_a_certificate_stays_in_no_file(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("private")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    auth = ClientCertificate(CERT_PEM.decode(), KEY_PEM.decode())
    await member.connect(replace(at("https://west.example"), auth=auth)).close()
    assert list(folder.iterdir()) == []


async def test_rights_are_asked_for_one_by_one() -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        asked = (await request.json())["spec"]["resourceAttributes"]
        return web.json_response({"status": {"allowed": asked["subresource"] == "proxy"}})

    wanted = [IDENTITY, Right("get", "", "pods/proxy"), Right("patch", "apps", "deployments")]
    async with faulty(answer) as server, member.connect(at(server.url)) as client:
        assert await member.missing(client, wanted, "ml") == [wanted[0], wanted[2]]
        assert await member.missing(client, []) == []


@pytest.mark.parametrize("allowed", ["true", 1, None, {"yes": True}])
async def test_only_a_plain_yes_is_a_right(allowed: object) -> None:
    async with (
        faulty(says(201, {"status": {"allowed": allowed}})) as server,
        member.connect(at(server.url)) as client,
    ):
        assert await member.missing(client, [IDENTITY]) == [IDENTITY]


async def test_outside_of_a_pod_there_is_no_workload_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_FEDERATED_TOKEN_FILE", raising=False)
    auth = Entra(descriptions.CLIENT, descriptions.TENANT)
    async with member.connect(replace(at("https://west.example"), auth=auth)) as client:
        with pytest.raises(Unauthenticated, match="no workload identity here") as caught:
            await member.identity(client)
    assert caught.value.reason == "CredentialsMissing"
