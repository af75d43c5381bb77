"""The names in descriptions of members, looked up with care: a name may lead anywhere, and tomorrow elsewhere."""

from __future__ import annotations

import socket

from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from modelfleet.core.errors import Unsupported
from modelfleet.core.inventory import addresses
from modelfleet.core.inventory.member import Unusable


class MemberResolver(ThreadedResolver):
    """Looks names up as the system does; Unsupported where a description could not have had the address itself.

    What was looked at here is what is connected to: the name is not looked up again in between.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host."""
        found = await super().resolve(host, port, family)
        try:
            addresses.resolved(host, (each["host"] for each in found))
        except Unusable as error:
            raise Unsupported(error.reason, error.message) from None
        return found
