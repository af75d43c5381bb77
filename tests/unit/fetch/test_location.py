"""A URI is taken apart into what storage needs to know."""

import pytest

from modelserver.fetch.location import parse


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
