"""The few things to do with a socket that asyncio does not."""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; `::` also takes IPv4. Raises OSError when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    dual = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
    return socket.create_server((host, port), family=family, backlog=1024, dualstack_ipv6=dual)


def has_data(fd: int) -> bool:
    """Whether something has arrived on `fd` (data, a connection or an end) that nobody has read yet."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def backlog(sock: socket.socket) -> Iterator[socket.socket]:
    """Takes the connections that the listening socket `sock` has established but nobody has accepted."""
    sock.setblocking(False)
    while has_data(sock.fileno()):
        with suppress(BlockingIOError, ConnectionAbortedError):  # the client may have left meanwhile
            yield sock.accept()[0]
