"""A name leads no further than an address that is written out: what it stands for is looked at first."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from modelfleet.core.errors import Unreachable, Unsupported
from modelfleet.core.inventory.member import BearerToken, Member, Origin, Source
from modelfleet.kube import member
from tests.unit.kube.faulty import FaultyServer, faulty, says

NAMESPACE = {"metadata": {"name": "kube-system", "uid": "uid-west"}}
MEMBER = Member("west", Origin(Source.ARGOCD, "argocd", "west"), "", "https://west.example", BearerToken("t"))


def names(monkeypatch: pytest.MonkeyPatch, known: dict[str, list[str]]) -> None:
    """From now on these are the names that there are, and what they stand for."""
    look_up = socket.getaddrinfo

    def known_only(host: str, port: int, *arguments: Any, **named: Any) -> Any:
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [found for address in known[host] for found in look_up(address, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", known_only)


async def refusal_of(found: Member) -> Unsupported:
    async with member.connect(found) as client:
        with pytest.raises(Unsupported) as caught:
            await member.identity(client)
    return caught.value


def port_of(server: FaultyServer) -> int | None:
    return urlsplit(server.url).port


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "168.63.129.16", "0.0.0.0", "224.0.0.1", "fe80::1", "::ffff:169.254.169.254", "::"],
)
async def test_a_name_that_leads_to_a_clouds_metadata_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    names(monkeypatch, {"west.example": [address]})
    refusal = await refusal_of(MEMBER)
    assert refusal.reason == "AddressRefused"
    assert str(refusal).startswith("The name west.example leads to a cloud's metadata")


async def test_one_bad_address_among_good_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    async with faulty(says(200, NAMESPACE)) as server:
        names(monkeypatch, {"west.example": ["127.0.0.1", "169.254.169.254"]})
        await refusal_of(replace(MEMBER, server=f"http://west.example:{port_of(server)}"))
    assert server.requests == []


async def test_a_name_that_leads_to_a_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with faulty(says(200, NAMESPACE)) as server:
        names(monkeypatch, {"west.example": ["127.0.0.1"]})
        there = replace(MEMBER, server=f"http://west.example:{port_of(server)}")
        async with member.connect(there) as client:
            assert await member.identity(client) == "uid-west"


async def test_of_a_member_behind_a_proxy_the_proxys_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, {"proxy.example": ["169.254.169.254"]})
    refusal = await refusal_of(replace(MEMBER, proxy="http://proxy.example:3128"))
    assert str(refusal).startswith("The name proxy.example leads to")


async def test_a_name_that_nobody_knows_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, {})
    async with member.connect(MEMBER) as client:
        with pytest.raises(Unreachable, match="Name or service not known"):
            await member.identity(client)
