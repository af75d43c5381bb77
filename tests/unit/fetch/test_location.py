"""A URI is taken apart into what storage needs to know."""

import pytest

from modelserver.fetch.errors import CredentialsInvalid, FetchError
from modelserver.fetch.location import parse

REGISTERED = "azureml://registries/shared/models/claims/versions/3"


@pytest.mark.parametrize(
    ("uri", "account", "container", "path", "is_folder"),
    [
        ("https://acct.blob.core.windows.net/models/a/b.onnx", "acct", "models", "a/b.onnx", False),
        ("https://acct.blob.core.windows.net/models/a/", "acct", "models", "a", True),
        ("https://acct.blob.core.windows.net/models/", "acct", "models", "", True),
        ("https://acct.blob.core.windows.net/models", "acct", "models", "", True),
        ("https://acct.blob.core.chinacloudapi.cn/m/a%20b", "acct", "m", "a b", False),
        ("http://demo.blob.svc.cluster.local:10000/m/a", "demo", "m", "a", False),
        ("https://example.com/models/a.onnx", "", "", "models/a.onnx", False),
        ("https://blob.example.com/models/a.onnx", "", "", "models/a.onnx", False),
    ],
)
def test_azure_storage_is_known_by_its_host(
    uri: str, account: str, container: str, path: str, is_folder: bool
) -> None:
    location = parse(uri)
    assert (location.account, location.container, location.path) == (account, container, path)
    assert (location.is_folder, location.is_azure) == (is_folder, bool(account))
    assert uri.startswith(location.endpoint + "/")


def test_a_place_can_be_called_by_a_name_of_any_scheme() -> None:
    place = parse("https://acct.blob.core.windows.net/models/a/")
    called = place.called(REGISTERED)
    assert called.uri == REGISTERED
    assert called.called(place.uri) == place


@pytest.mark.parametrize("name", [f"{REGISTERED}?sig=PLANTED", "azureml://user:PLANTED@registries/shared"])
def test_a_name_that_carries_a_secret_is_refused_without_showing_it(name: str) -> None:
    with pytest.raises(CredentialsInvalid, match="must not carry a query or password") as refused:
        parse("https://acct.blob.core.windows.net/models/a/").called(name)
    assert "PLANTED" not in str(refused.value)


@pytest.mark.parametrize("uri", ["https://[PLANTED/a.onnx", "https://user:PLANTED@host\u2100/a.onnx"])
def test_a_uri_that_cannot_be_taken_apart_is_refused_without_showing_it(uri: str) -> None:
    with pytest.raises(FetchError, match="malformed") as refused:
        parse(uri)
    assert refused.value.reason == "ModelNotFound"
    assert "PLANTED" not in str(refused.value)
