"""What storage answers becomes the reason that users see."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from modelserver.fetch.credentials import Credentials
from modelserver.fetch.errors import FetchError, StorageError
from modelserver.fetch.location import parse
from modelserver.fetch.source import RemoteFile, Source
from tests.support.proxy import Proxy
from tests.support.webserver import WebServer

if TYPE_CHECKING:
    from collections.abc import Iterator

ANONYMOUS = Credentials("no credential", {"skip_signature": True})
BLOB, FOLDER, WEB = (
    "http://demo.blob.test/models/m.onnx",
    "http://demo.blob.test/models/f/",
    "http://web.test/m.onnx",
)
SIGNED = Credentials("a SAS token", {"credential_type": "sas_token", "sas_key": "sv=1&sig=PLANTED"})
PRINCIPAL = Credentials(
    "a service principal",
    {
        "credential_type": "client_secret",
        "tenant_id": "t",
        "client_id": "c",
        "client_secret": "PLANTED",
        "authority_host": "http://login.test",
    },
    is_token=True,
)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    proxy = Proxy(("127.0.0.1", 1))
    monkeypatch.setenv("http_proxy", proxy.url)
    yield proxy
    proxy.close()


@pytest.fixture
def storage(proxy: Proxy) -> Iterator[WebServer]:
    """What answers behind the proxy, with a body to everything but HEAD."""
    web = WebServer(403)
    proxy.upstream = ("127.0.0.1", urlsplit(web.url).port or 0)

    def answer_head() -> None:
        proxy.status = web.status if proxy.requests[-1][0] == "HEAD" else None

    proxy.before_each = answer_head
    yield web
    web.close()


def refusal(detail: str) -> bytes:
    """A refusal as Azure documents it and clients report it; Azurite gives no detail."""
    message = (
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed ..."
    )
    error = f"<Error><Code>AuthenticationFailed</Code><Message>{message}</Message>{detail}</Error>"
    return f'\ufeff<?xml version="1.0" encoding="utf-8"?>{error}'.encode()


@pytest.mark.parametrize("uri", [BLOB, FOLDER, WEB])
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (400, "StorageError"),
        (401, "ModelAccessDenied"),
        (403, "ModelAccessDenied"),
        (404, "ModelNotFound"),
        (409, "StorageError"),
        (412, "ModelChanged"),
        (429, "StorageError"),
        (500, "StorageError"),
        (503, "StorageError"),
    ],
)
def test_every_status_has_a_reason(proxy: Proxy, uri: str, status: int, reason: str) -> None:
    proxy.status = status
    with pytest.raises(FetchError) as failed:
        Source(parse(uri), ANONYMOUS).find()
    assert failed.value.reason == reason
    assert uri in str(failed.value)


@pytest.mark.parametrize(
    ("status", "reason"), [(404, "ModelNotFound"), (412, "ModelChanged"), (500, "StorageError")]
)
def test_reading_fails_with_the_same_reasons(proxy: Proxy, status: int, reason: str) -> None:
    proxy.status = status
    with pytest.raises(FetchError) as failed:
        list(Source(parse(BLOB), ANONYMOUS).read(RemoteFile("m.onnx", "m.onnx", 10, '"1"'), 0))
    assert failed.value.reason == reason


def test_an_identity_that_entra_does_not_accept_is_an_invalid_credential(proxy: Proxy) -> None:
    proxy.status = 400
    with pytest.raises(FetchError) as failed:
        Source(parse("https://demo.blob.test/models/m.onnx"), PRINCIPAL).find()
    assert failed.value.reason == "CredentialsInvalid"
    assert "Microsoft Entra ID does not accept a service principal (it answered 400)" in str(failed.value)
    assert "PLANTED" not in str(failed.value)


@pytest.mark.parametrize("uri", [BLOB, FOLDER])
@pytest.mark.parametrize(
    ("detail", "reason", "sentence"),
    [
        (
            "Signature not valid in the specified time frame: Start [...] - Expiry [...] - Current [...]",
            "CredentialsExpired",
            "the SAS token has expired, or the clock of this node is wrong",
        ),
        (
            "Request date header too old: 'Fri, 04 Oct 2019 18:02:12 GMT'",
            "CredentialsExpired",
            "it finds the request too old, so the clock of this node is wrong",
        ),
        ("Signature fields not well formed.", "CredentialsInvalid", "the SAS token is malformed"),
        (
            "Signature did not match. String to sign used was PLANTED",
            "ModelAccessDenied",
            "with a SAS token (403, AuthenticationFailed); a private blob needs",
        ),
    ],
)
def test_a_sas_token_is_refused_for_the_reason_that_azure_documents(
    storage: WebServer, uri: str, detail: str, reason: str, sentence: str
) -> None:
    """The words are the real Azure's: Azurite answers AuthorizationFailure to an expired token, with no detail."""
    storage.body = refusal(f"<AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail>")
    with pytest.raises(FetchError) as failed:
        Source(parse(uri), SIGNED).find()
    assert failed.value.reason == reason
    assert sentence in str(failed.value)
    assert uri in str(failed.value)
    assert "PLANTED" not in str(failed.value)


def test_a_sas_token_that_expires_during_the_download_has_expired(storage: WebServer) -> None:
    storage.body = refusal("Signature not valid in the specified time frame")
    with pytest.raises(FetchError) as failed:
        list(Source(parse(BLOB), SIGNED).read(RemoteFile("m.onnx", "m.onnx", 10, '"1"'), 5))
    assert failed.value.reason == "CredentialsExpired"


@pytest.mark.parametrize(
    ("said", "reason", "sentence"),
    [
        ("AADSTS700024: Client assertion is not within its valid time range.", "CredentialsExpired", "clock"),
        ("AADSTS7000215: Invalid client secret provided: PLANTED", "CredentialsInvalid", "401, AADSTS7000215)"),
        ("AADSTS7000222: The provided client secret keys are expired.", "CredentialsInvalid", "AADSTS7000222)"),
        ("PLANTED", "CredentialsInvalid", "(it answered 401)"),
    ],
)
def test_what_entra_says_is_told_by_its_code_only(
    storage: WebServer, said: str, reason: str, sentence: str
) -> None:
    storage.status = 401
    storage.body = b'{"error": "invalid_client", "error_description": "%s Trace ID: PLANTED"}' % said.encode()
    with pytest.raises(FetchError) as failed:
        Source(parse("https://demo.blob.test/models/m.onnx"), PRINCIPAL).find()
    assert failed.value.reason == reason
    assert sentence in str(failed.value)
    assert "PLANTED" not in str(failed.value)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_outage_of_entra_passes(storage: WebServer, status: int) -> None:
    storage.status, storage.body = status, b"PLANTED"
    with pytest.raises(
        StorageError, match=rf"Microsoft Entra ID cannot give a token now \(it answered {status}\)$"
    ):
        Source(parse("https://demo.blob.test/models/m.onnx"), PRINCIPAL).find()
