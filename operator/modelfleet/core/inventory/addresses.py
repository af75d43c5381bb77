"""Where a description may lead: to API servers and proxies, and never to what a cloud tells its machines."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from modelfleet.core.inventory.member import Unusable

_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(/[a-z0-9._~-]+)*)/?",
    re.IGNORECASE | re.ASCII,
)
_SCHEME = re.compile(r"https://", re.IGNORECASE | re.ASCII)
_HOST = re.compile(r"[a-z0-9]([a-z0-9._:-]{0,252})", re.IGNORECASE | re.ASCII)
_LENGTH = 2048

# What answers under these hands out credentials of the machine, or acts for the cloud.
_METADATA_NAMES = {
    "instance-data",
    "instance-data.ec2.internal",
    "metadata",
    "metadata.azure.internal",
    "metadata.goog",
    "metadata.google.internal",
}
_METADATA = {
    IPv4Address("100.100.100.200"),
    IPv4Address("168.63.129.16"),
    IPv4Address("192.0.0.192"),
    IPv6Address("fd00:ec2::254"),
    IPv6Address("fd20:ce::254"),
}
_IPV4_INSIDE = [IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"), IPv6Network("::/96")]
_SELF = IPv4Network("0.0.0.0/8")


def server(url: str) -> str:
    """Return the address of an API server in the form that it is asked at."""
    if not url:
        raise Unusable("ServerMissing", "The address of the API server is missing: write https://HOST:PORT.")
    if not _SCHEME.match(url):
        raise Unusable("ServerNotHttps", "The address of the API server has to begin with https://.")
    return _address(url, "ServerInvalid", "The address of the API server", {"https"})


def proxy(url: str) -> str:
    """Return the address of a proxy, or an empty one where none is given."""
    return _address(url, "ProxyInvalid", "The address of the proxy", {"http", "https"}) if url else ""


def server_name(text: str) -> str:
    """Return the name that the API server's certificate has to be for; empty means the host's."""
    if text and not _HOST.fullmatch(text):
        raise Unusable("ServerNameInvalid", "The server name for TLS has to be the name or address of a host.")
    return text


def resolved(host: str, addresses: Iterable[str]) -> None:
    """Refuse a name that stands for an address which nobody may write out; Unusable says so."""
    for address in addresses:
        ip = ip_address(address)
        _refuse_metadata(_unwrapped(ip) if isinstance(ip, IPv6Address) else ip, "", f"The name {host}")


def _address(url: str, reason: str, what: str, schemes: set[str]) -> str:
    found = _URL.fullmatch(url) if len(url) <= _LENGTH else None
    if not found or found["scheme"].lower() not in schemes or not 0 < int(found["port"] or 443) < 65536:
        form = f"{' or '.join(sorted(schemes))}://HOST:PORT"
        raise Unusable(reason, f"{what} has to be {form}, without a user, a query or characters of no address.")
    _refuse_metadata(_ip(found["host"], reason, what), found["host"].lower().rstrip("."), what)
    port = f":{found['port']}" if found["port"] else ""
    return f"{found['scheme'].lower()}://{found['host'].lower()}{port}{found['path']}"


def _ip(host: str, reason: str, what: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host is, also in the old forms that resolvers still read (0xa9.0xfe.43518)."""
    try:
        if host.startswith("["):
            return _unwrapped(IPv6Address(host[1:-1]))
    except ValueError:
        raise Unusable(reason, f"{what} has no valid IPv6 address in its brackets.") from None
    try:
        return IPv4Address(socket.inet_aton(host.rstrip(".")))
    except OSError:
        return None


def _unwrapped(address: IPv6Address) -> IPv4Address | IPv6Address:
    if any(address in network for network in _IPV4_INSIDE) and int(address) > 1:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _refuse_metadata(ip: IPv4Address | IPv6Address | None, host: str, what: str) -> None:
    is_nobody = ip is not None and (ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip in _METADATA)
    if is_nobody or host in _METADATA_NAMES or (isinstance(ip, IPv4Address) and ip in _SELF):
        raise Unusable(
            "AddressRefused", f"{what} leads to a cloud's metadata or to no host: no API server is there."
        )
