"""What storage answers becomes the reason that users see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelserver.fetch.credentials import Credentials
from modelserver.fetch.errors import FetchError
from modelserver.fetch.location import parse
from modelserver.fetch.source import RemoteFile, Source
from tests.support.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

ANONYMOUS = Credentials("no credential", {"skip_signature": True})
BLOB, FOLDER, WEB = (
    "http://demo.blob.test/models/m.onnx",
    "http://demo.blob.test/models/f/",
    "http://web.test/m.onnx",
)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    proxy = Proxy(("127.0.0.1", 1))
    monkeypatch.setenv("http_proxy", proxy.url)
    yield proxy
    proxy.close()


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
    secret = Credentials(
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
    with pytest.raises(FetchError) as failed:
        Source(parse("https://demo.blob.test/models/m.onnx"), secret).find()
    assert failed.value.reason == "CredentialsInvalid"
    assert "Microsoft Entra ID does not accept a service principal (it answered 400)" in str(failed.value)
    assert "PLANTED" not in str(failed.value)
