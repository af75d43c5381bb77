"""Descriptions lead to API servers over TLS, and never to what a cloud tells its machines."""

from __future__ import annotations

import pytest

from modelfleet.core.inventory import addresses
from modelfleet.core.inventory.member import Unusable


def refused(url: str) -> str:
    with pytest.raises(Unusable) as caught:
        addresses.server(url)
    assert "planted" not in caught.value.message
    return caught.value.reason


@pytest.mark.parametrize(
    ("url", "asked_at"),
    [
        ("https://west.example", "https://west.example"),
        ("HTTPS://West.Example:6443/", "https://west.example:6443"),
        ("https://rancher.example/k8s/clusters/c-m-1", "https://rancher.example/k8s/clusters/c-m-1"),
        ("https://10.0.0.4:443", "https://10.0.0.4:443"),
        ("https://[fd00::4]:6443", "https://[fd00::4]:6443"),
        ("https://127.0.0.1:6443", "https://127.0.0.1:6443"),
        ("https://[::1]:6443", "https://[::1]:6443"),
    ],
)
def test_an_api_server_is_asked_at_its_address(url: str, asked_at: str) -> None:
    assert addresses.server(url) == asked_at


@pytest.mark.parametrize(
    "url", ["http://west.example", "west.example:6443", "file:///etc/passwd", " https://a", "//a"]
)
def test_what_is_not_https_is_refused(url: str) -> None:
    assert refused(url) == "ServerNotHttps"


@pytest.mark.parametrize(
    "url",
    [
        "https://",
        "https:///path",
        "https://:6443",
        "https://admin:planted@west.example",
        "https://planted@west.example",
        "https://west.example?token=planted",
        "https://west.example#planted",
        "https://west.example:0",
        "https://west.example:65536",
        "https://west.example:port",
        "https://west.example/a b",
        "https://west.example/%2e%2e",
        "https://good.example\\@evil.example",
        "https://west.example\n",
        "https://wést.example",
        "https://169\N{IDEOGRAPHIC FULL STOP}254.169.254",
        "https://\N{FULLWIDTH DIGIT ONE}69.254.169.254",
        "https://[fe80::1%25eth0]",
        "https://[west]",
        "https://[fd00::4",
        f"https://{'a' * 3000}",
    ],
)
def test_what_is_no_plain_address_is_refused(url: str) -> None:
    assert refused(url) == "ServerInvalid"


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.1.1:8443",
        "169.254.169.254.",
        "2852039166",
        "0xa9fea9fe",
        "0xA9.0xFE.43518",
        "0251.0376.0251.0376",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[FD00:0EC2:0:0:0:0:0:254]",
        "metadata.google.internal",
        "Metadata.Google.Internal.",
        "metadata",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "0",
        "[::]",
        "224.0.0.1",
    ],
)
def test_no_description_leads_to_what_a_cloud_tells_its_machines(host: str) -> None:
    assert refused(f"https://{host}") == "AddressRefused"
    with pytest.raises(Unusable, match="proxy leads to"):
        addresses.proxy(f"http://{host}")


def test_no_proxy_is_none() -> None:
    assert addresses.proxy("") == ""


@pytest.mark.parametrize("url", ["socks5://proxy", "http://user:planted@proxy", "proxy:3128"])
def test_a_proxy_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(Unusable) as caught:
        addresses.proxy(url)
    assert caught.value.reason == "ProxyInvalid"
    assert "planted" not in caught.value.message
